import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultEndpoints, uploadEndpoints } from '../../lib/options/default-endpoints.js'
import { compileEndpoints } from '../../lib/options/endpoints.js'
import { admitEndpoint } from '../../lib/request/admit-endpoint.js'
import { providerPath } from '../../lib/request/provider-path.js'

/** The status that a request gets here; 200 if it goes on. */
function statusOf(request: string, filter = compileEndpoints(undefined, '')): number {
  const [method = '', url = ''] = request.split(' ')
  try {
    admitEndpoint(filter(providerPath(url).decoded), method)
    return 200
  } catch (error) {
    return (error as { status: number }).status
  }
}

const vertex = '/v1beta1/projects/my-project/locations/us-central1'

/** What clients call, as their makers document it. */
const open: Record<string, readonly string[]> = {
  OpenAI: [
    'POST /v1/responses/input_tokens',
    'POST /v1/responses/compact',
    'GET /v1/responses/resp_1',
    'GET /v1/responses/resp_1?stream=true&starting_after=5',
    'DELETE /v1/responses/resp_1',
    'POST /v1/responses/resp_1/cancel',
    'GET /v1/responses/resp_1/input_items',
    'POST /v1/moderations',
    'POST /v1/images/generations',
    'POST /v1/images/edits',
    'POST /v1/audio/transcriptions',
    'POST /v1/audio/translations',
    'POST /v1/audio/speech',
    'GET /v1/models/ft:gpt-4o-mini:acme::aBcDeF12',
  ],
  Codex: ['POST /backend-api/codex/responses', 'POST /backend-api/codex/responses/compact'],
  Anthropic: ['POST /v1/messages?beta=true', 'POST /anthropic/v1/messages', 'POST /api/anthropic/v1/messages'],
  'Claude Code on Vertex AI': [
    `POST ${vertex}/publishers/anthropic/models/claude-opus-4@20250514:rawPredict`,
    `POST ${vertex}/publishers/anthropic/models/claude-opus-4@20250514:streamRawPredict`,
    `POST ${vertex}/publishers/anthropic/models/count-tokens:rawPredict`,
  ],
  Gemini: [
    'POST /v1beta/interactions',
    'GET /v1beta/interactions/i1',
    'POST /v1beta/models/imagen-4:predict',
    'POST /v1beta/models/veo-3:predictLongRunning',
    'GET /v1beta/models/veo-3/operations/o1',
    'POST /v1beta/tunedModels/mine:generateContent',
    'POST /v1beta/tunedModels/my%20own:generateContent',
    'POST /v1beta/openai/chat/completions',
  ],
  'Vertex AI': [
    `POST ${vertex}/publishers/google/models/gemini-2.5-pro:generateContent`,
    `POST ${vertex}/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse`,
    `POST ${vertex}/publishers/mistralai/models/mistral-large:rawPredict`,
    `POST ${vertex}/endpoints/1234:generateContent`,
    `POST ${vertex}/endpoints/openapi/chat/completions`,
    'POST /v1/publishers/google/models/gemini-2.5-flash:generateContent',
    'POST /v1/projects/example.com:mine/locations/eu/publishers/google/models/g:countTokens',
  ],
  Ollama: [
    'GET /',
    'HEAD /',
    'GET /api/tags',
    'GET /api/version',
    'GET /api/ps',
    'POST /api/show',
    'POST /api/embed',
    'POST /api/embeddings',
    'GET /v1/models/llama3:latest',
  ],
  Cohere: [
    'POST /v1/chat',
    'POST /v1/embed',
    'POST /v2/embed',
    'POST /v1/rerank',
    'POST /v2/rerank',
    'POST /compatibility/v1/chat/completions',
  ],
  Azure: [
    'POST /models/chat/completions?api-version=2024-05-01-preview',
    'POST /models/embeddings',
    'POST /anthropic/v1/messages',
    'POST /openai/deployments/mine/images/generations',
    'POST /openai/deployments/mine/audio/transcriptions',
    'POST /openai/deployments/mine/audio/speech',
    'POST /openai/deployments/my%20own/chat/completions',
    'POST /openai/v1/responses',
  ],
  Bedrock: [
    'POST /model/amazon.nova-lite-v1:0/count-tokens',
    'POST /guardrail/gr-1/version/3/apply',
    'POST /guardrail/arn%3Aaws%3Abedrock%3Aeu%3A1%3Aguardrail%2Fgr-1/version/3/apply',
    'POST /rerank',
    'POST /openai/v1/chat/completions',
  ],
  OpenRouter: [
    'POST /api/v1/responses',
    'POST /api/v1/messages',
    'GET /api/v1/models/openai/gpt-4o:free/endpoints',
    'GET /api/v1/key',
    'GET /api/v1/credits',
    'GET /api/v1/generation?id=gen-1',
  ],
  Mistral: [
    'POST /v1/fim/completions',
    'POST /v1/agents/completions',
    'POST /v1/moderations',
    'POST /v1/chat/moderations',
    'POST /v1/ocr',
    'POST /v1/audio/transcriptions',
  ],
  'at their own origins': [
    'POST /anthropic/v1/messages',
    'POST /beta/completions',
    'POST /inference/v1/chat/completions',
    'POST /compatible-mode/v1/chat/completions',
    'POST /api/paas/v4/chat/completions',
    'POST /api/coding/paas/v4/chat/completions',
    'POST /api/v3/chat/completions',
    'POST /serving-endpoints/chat/completions',
    'POST /serving-endpoints/mine/invocations',
    'POST /client/v4/accounts/a1/ai/v1/chat/completions',
    'POST /orgs/acme/inference/chat/completions',
    'GET /inference/v1/models',
  ],
  'vLLM, TEI, llama.cpp, TGI': [
    'POST /rerank',
    'POST /v1/rerank',
    'POST /score',
    'POST /v1/score',
    'POST /tokenize',
    'POST /detokenize',
    'POST /completion',
    'POST /infill',
    'POST /generate_stream',
    'POST /embed',
    'GET /health',
    'GET /v1/models/Qwen%2FQwen2.5-7B-Instruct',
    'GET /v1/models/Qwen/Qwen2.5-7B-Instruct',
    'GET /v1/models/hf.co%2Fbartowski%2FLlama-3.2-1B-Instruct-GGUF:Q4_K_M',
    'GET /v1/models/accounts%2Ffireworks%2Fmodels%2Fllama-v3',
  ],
}

describe('the endpoints that clients use are allowed by default', () => {
  for (const [client, requests] of Object.entries(open)) {
    for (const request of requests) test(`${client}: ${request}`, () => assert.equal(statusOf(request), 200))
  }
})

describe('endpoints for the account are not allowed by default', () => {
  for (const request of [
    'GET /v1/responses',
    'GET /v1/chat/completions/c1',
    'GET /v1/conversations/c1',
    'POST /v1/files',
    'GET /v1/files/f1/content',
    'POST /v1/uploads/u1/parts',
    'POST /v1/batches',
    'POST /v1/fine_tuning/jobs',
    'POST /v1/vector_stores/v1/search',
    'POST /v1/threads/t1/messages',
    'POST /v1/videos',
    'POST /v1/realtime/sessions',
    'POST /v1/messages/batches',
    'POST /v1/organization/projects/p1/v1/chat/completions',
    'GET /v1/organization/models',
    'GET /v1beta/cachedContents',
    'POST /v1beta/files',
    'POST /v1beta/models/g:batchGenerateContent',
    'POST /async-invoke',
    'POST /api/pull',
    'DELETE /api/delete',
    'GET /v1/key',
    'POST /generate',
    'GET /api/models/acme/private/tree/main',
    // A model in the base path would be none that `models` looks at.
    'POST /v1/engines/big/completions',
    'POST /models/big/v1/chat/completions',
    'POST /v1/admin;x/chat/completions',
    `POST /${'a/'.repeat(13)}v1/chat/completions`,
  ]) {
    test(request, () => assert.equal(statusOf(request), /^GET \/v1\/responses$/.test(request) ? 405 : 404))
  }
})

test("an app's list may extend the default one", () => {
  const filter = compileEndpoints([...defaultEndpoints, 'GET files'], '')
  for (const request of Object.values(open).flat()) assert.equal(statusOf(request, filter), 200, request)
  assert.equal(statusOf('GET /v1/files', filter), 200)
})

describe('Google’s custom methods are separate endpoints', () => {
  for (const url of [
    '/v1beta/models/big:generateContent',
    '/v1beta/models/big%3AgenerateContent',
    '/v1beta/models/big:anyVerb',
    '/v1beta/models/big:predict',
    '/v1/models/acme/big:generateContent',
  ]) {
    test(`GET ${url} is not the endpoint of a model's description`, () => assert.notEqual(statusOf(`GET ${url}`), 200))
    test(`models/* does not match ${url}`, () => {
      assert.notEqual(statusOf(`POST ${url}`, compileEndpoints(['models/*', 'models/*/*'], '')), 200)
    })
  }
  test('a rule that names the method matches it', () => {
    assert.equal(
      statusOf('POST /v1/models/x:batchGenerateContent', compileEndpoints(['models/*:batchGenerateContent'], '')),
      200,
    )
  })
})

describe('an encoded slash', () => {
  test('must be allowed both as it is and as a decoding server reads it', () => {
    assert.equal(statusOf('GET /v1/models/a%2Fb', compileEndpoints(['GET models/*'], '')), 404)
    assert.equal(statusOf('GET /v1/models/a%2Fb', compileEndpoints(['GET models/*', 'models/*/*'], '')), 200)
    assert.equal(statusOf('POST /v1/models/a%2Fb', compileEndpoints(['models/*', 'GET models/*/*'], '')), 405)
    assert.equal(statusOf('GET /v1/models/a%2Fb', compileEndpoints([/^\/v1\/models\/[^/]+$/], '')), 404)
    assert.equal(statusOf('GET /v1/models/a%2Fb', compileEndpoints([/./], '')), 200)
  })
})

test('the list cannot be changed for all middlewares at once', () => {
  assert.throws(() => (defaultEndpoints as string[]).push('GET files/*'), TypeError)
})

describe('endpoints for uploads, which the proxy cannot read', () => {
  const closing = compileEndpoints(undefined, '', true)
  test('are not allowed by default if requests are read; all others are', () => {
    assert.equal(uploadEndpoints.length, 8)
    for (const request of Object.values(open).flat()) {
      const isUpload = /\/(transcriptions|translations|edits|variations)$/.test(request)
      assert.equal(statusOf(request, closing), isUpload ? 404 : 200, request)
    }
  })
  test('are allowed if the app names them', () => {
    const filter = compileEndpoints(['audio/transcriptions'], '', true)
    assert.equal(statusOf('POST /v1/audio/transcriptions', filter), 200)
    assert.equal(statusOf('POST /v1/audio/transcriptions', compileEndpoints(defaultEndpoints, '', true)), 200)
  })
})
