import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  asksForStream,
  canGenerate,
  detectFormat,
  type FormatName,
  formatNames,
  getFormat,
  modelInPath,
} from '../../lib/formats/index.js'

const vertex = '/v1/projects/p/locations/us-central1/publishers'
const arn = 'arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.anthropic.claude-v2:0'

describe('detectFormat', () => {
  const paths: Record<FormatName, string[]> = {
    'openai-chat': [
      '/v1/chat/completions',
      '/chat/completions',
      '/api/v1/chat/completions',
      '/openai/v1/chat/completions',
      '/openai/deployments/gpt-4o/chat/completions',
      '/inference/v1/chat/completions',
      '/v1beta/openai/chat/completions',
      '/compatibility/v1/chat/completions',
      '/v1/fim/completions',
      // What no other format claims.
      '/',
      '/v1/models',
      '/v1/models/llama3:latest',
      '/v1/messages/batches',
      '/v1/threads/thread_1/messages',
      '/v1/xmessages',
      '/v1/messagesx',
      '/chat',
      '/generate',
      `${vertex}/mistralai/models/mistral-large:rawPredict`,
    ],
    'openai-completions': [
      '/v1/completions',
      '/completions',
      '/beta/completions',
      '/openai/deployments/davinci/completions',
    ],
    'openai-embeddings': ['/v1/embeddings', '/openai/deployments/ada/embeddings', '/v1beta/openai/embeddings'],
    'openai-media': [
      '/v1/images/generations',
      '/openai/deployments/dall-e/images/edits',
      '/v1/audio/speech',
      '/v1/audio/transcriptions',
      '/audio/translations',
    ],
    'openai-responses': [
      '/v1/responses',
      '/responses',
      '/openai/responses',
      '/openai/v1/responses',
      '/openai/deployments/x/responses',
      '/v1/responses/resp_1',
      '/v1/responses/resp_1/cancel',
      '/v1/responses/input_tokens',
    ],
    anthropic: [
      '/v1/messages',
      '/messages',
      '/v1/messages/count_tokens',
      '/anthropic/v1/messages',
      '/api/v1/messages',
      `${vertex}/anthropic/models/claude-sonnet-4@20250514:streamRawPredict`,
      `${vertex}/anthropic/models/claude-sonnet-4@20250514:rawPredict`,
    ],
    gemini: [
      '/v1beta/models/gemini-2.5-pro:generateContent',
      '/v1/models/gemini-2.5-pro:streamGenerateContent',
      '/v1alpha/models/gemini-2.5-pro:countTokens',
      '/v1beta/models/embedding-001:embedContent',
      '/v1beta/models/embedding-001:batchEmbedContents',
      '/v1beta/models/imagen-4:predict',
      '/v1beta/models/veo-3:predictLongRunning',
      '/v1beta/tunedModels/mine:generateContent',
      '/v1beta/models',
      '/v1beta/models/gemini-2.5-pro',
      '/prefix/v1beta/models/gemini-2.5-pro:generateContent',
      `${vertex}/google/models/gemini-2.5-pro:streamGenerateContent`,
    ],
    'gemini-interactions': [
      '/v1beta/interactions',
      '/v1beta/interactions/v1_abc',
      '/v1beta/interactions/v1_abc/cancel',
      '/v1beta1/projects/p/locations/global/interactions',
    ],
    'bedrock-converse': [
      '/model/anthropic.claude-3-haiku-20240307-v1:0/converse',
      '/model/anthropic.claude-3-haiku-20240307-v1:0/converse-stream',
      `/model/${arn}/converse-stream`,
    ],
    'bedrock-invoke': [
      '/model/amazon.titan-text-express-v1/invoke',
      '/model/amazon.titan-text-express-v1/invoke-with-response-stream',
    ],
    'ollama-chat': ['/api/chat', '/ollama/api/chat', '/api/embed'],
    'ollama-generate': ['/api/generate'],
    cohere: ['/v2/chat', '/api/v2/chat', '/v1/chat', '/v1/embed', '/v2/embed', '/v1/rerank', '/v2/rerank'],
    tgi: ['/generate_stream'],
    'llama-cpp': ['/completion', '/infill', '/base/completion'],
  }
  for (const [name, claimed] of Object.entries(paths)) {
    for (const path of claimed) test(`${path}: ${name}`, () => assert.equal(detectFormat(path).name, name))
  }

  test('a path in another case, or with a slash at its end, has the same protocol', () => {
    assert.equal(detectFormat('/v1/Responses').name, 'openai-responses')
    assert.equal(detectFormat('/v1/messages/').name, 'anthropic')
    assert.equal(detectFormat('/V2/Chat/').name, 'cohere')
    assert.equal(detectFormat('/v1/responses//').name, 'openai-chat')
  })

  test('a very long path is classified in linear time', () => {
    // If the time were quadratic, the runner would stop this file.
    for (const part of ['/models/a:', '/v1', 'embed', ':embed', '/responses/a', '/model/a']) {
      const path = `/v1/models/a:${part.repeat(200_000)}`
      const format = part === '/responses/a' ? 'openai-responses' : 'openai-chat'
      assert.deepEqual([detectFormat(path).name, modelInPath(path), canGenerate(path)], [format, undefined, true], part)
    }
  })
})

describe('getFormat', () => {
  test('has fifteen formats', () => assert.equal(formatNames.length, 15))
  for (const name of formatNames) test(name, () => assert.equal(getFormat(name).name, name))
})

describe('asksForStream', () => {
  for (const [path, body, asked] of [
    ['/v1/chat/completions', { stream: true }, true],
    ['/v1/chat/completions', { stream: false }, false],
    ['/v1/chat/completions', {}, false],
    ['/v1/chat/completions', { stream: 'true' }, true],
    ['/v1/chat/completions', { stream: 1 }, true],
    ['/v1/chat/completions', undefined, false],
    ['/v1/chat/completions', null, false],
    ['/v1/chat/completions', 'stream', false],
    ['/v1beta/models/gemini:streamGenerateContent', {}, true],
    ['/v1beta/models/gemini:generateContent', {}, false],
    ['/model/claude/converse-stream', {}, true],
    ['/model/claude/converse', {}, false],
    ['/model/claude/invoke-with-response-stream', {}, true],
    ['/api/chat', {}, true],
    ['/api/chat', undefined, true],
    ['/api/generate', {}, true],
    ['/api/chat', { stream: false }, false],
    ['/api/chat', { stream: true }, true],
    ['/v2/chat', {}, false],
    ['/v2/chat', { stream: true }, true],
    ['/generate_stream', {}, true],
    ['/v1/audio/speech', { stream_format: 'sse' }, true],
    ['/v1/audio/speech', { stream_format: 'audio' }, false],
    ['/v1/chat/completions', { stream_format: 'sse' }, false],
  ] as const) {
    test(`${path} ${JSON.stringify(body)}: ${asked}`, () => assert.equal(asksForStream('POST', path, body), asked))
  }
  for (const [query, asked] of [
    ['stream=true&starting_after=5', true],
    ['?starting_after=5&stream=1', true],
    ['stream=True', true],
    ['stream=false', false],
    ['upstream=true', false],
    ['', false],
    [undefined, false],
  ] as const) {
    test(`GET with the query ${query}: ${asked}`, () =>
      assert.equal(asksForStream('GET', '/v1/responses/resp_1', undefined, query), asked))
  }
  test('ignores the query if there is a body', () => {
    assert.equal(asksForStream('POST', '/v1/responses', {}, 'stream=true'), false)
  })
  test('is true for a GET only by its query', () => {
    assert.equal(asksForStream('GET', '/model/claude/converse-stream', undefined), false)
    assert.equal(asksForStream('GET', '/api/chat', undefined), false)
  })
})

describe('canGenerate', () => {
  for (const [path, can] of [
    ['/v1/chat/completions', true],
    ['/v1/responses', true],
    ['/v1/messages', true],
    ['/v1beta/models/x:generateContent', true],
    ['/v1beta/models/x:streamGenerateContent', true],
    ['/model/x/converse', true],
    ['/v1/messages/count_tokens', false],
    ['/v1/responses/input_tokens', false],
    ['/model/x/count-tokens', false],
    ['/v1beta/models/x:countTokens', false],
    ['/v1beta/models/x:embedContent', false],
    ['/v1beta/models/x:batchEmbedContents', false],
    ['/v1/embeddings', false],
    ['/v1/responses/compact', false],
    ['/v1/responses/resp_1/cancel', false],
    ['/v1/ocr', false],
    ['/tokenize', false],
    ['/guardrail/g/version/1/apply', false],
    ['/v1beta/models/imagen-4:predict', false],
    [`${vertex}/anthropic/models/count-tokens:rawPredict`, false],
    [`${vertex}/anthropic/models/claude:rawPredict`, true],
    ['/infill', true],
    ['/completion', true],
    ['/serving-endpoints/mine/invocations', true],
    ['/v2/embed', false],
    ['/api/embed', false],
    ['/v2/rerank', false],
    ['/v1/moderations', false],
    ['/v1/responses/resp_1/cancel', false],
  ] as const) {
    test(`${path}: ${can}`, () => assert.equal(canGenerate(path), can))
  }
})

describe('modelInPath', () => {
  for (const [path, model] of [
    ['/v1beta/models/gemini-2.5-pro:generateContent', 'gemini-2.5-pro'],
    ['/v1/models/gemini-2.5-pro:streamGenerateContent', 'gemini-2.5-pro'],
    ['/v1beta/models/gemini-2.5-pro:countTokens', 'gemini-2.5-pro'],
    ['/v1beta/tunedModels/mine:generateContent', 'mine'],
    [`${vertex}/google/models/gemini-2.5-pro:generateContent`, 'gemini-2.5-pro'],
    [`${vertex}/anthropic/models/claude-opus-4@20250514:streamRawPredict`, 'claude-opus-4@20250514'],
    ['/model/anthropic.claude-v2:1/converse', 'anthropic.claude-v2:1'],
    ['/model/anthropic.claude-v2%3A1/invoke-with-response-stream', 'anthropic.claude-v2:1'],
    [`/model/${arn}/converse-stream`, 'arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-v2:0'],
    ['/model/50%/converse', '50%'],
    ['/openai/deployments/my-gpt/chat/completions', 'my-gpt'],
    ['/openai/deployments/my%20gpt/embeddings', 'my gpt'],
    [`${vertex.replace(/\/publishers$/, '')}/endpoints/1234:generateContent`, '1234'],
    [`${vertex}/anthropic/models/count-tokens:rawPredict`, undefined],
    ['/serving-endpoints/mine/invocations', 'mine'],
    ['/serving-endpoints/chat/completions', undefined],
    ['/v1/engines/davinci/completions', 'davinci'],
    ['/openai/deployments/my-gpt', undefined],
    ['/v1/models', undefined],
    ['/v1/models/gpt-4o', undefined],
    ['/v1/models/llama3:latest', undefined],
    ['/model/x/other', undefined],
    ['/v1/chat/completions', undefined],
    ['/', undefined],
  ] as const) {
    test(`${path}: ${model}`, () => assert.equal(modelInPath(path), model))
  }
})

test('a path that a client makes up costs only the questions that are asked', (t) => {
  const silent = formatNames.flatMap((name) => getFormat(name).silentPaths)
  const tests = silent.map((pattern) => t.mock.method(pattern, 'test').mock)
  const ran = () => tests.reduce((sum, mock) => sum + mock.callCount(), 0)
  detectFormat('/made/up')
  assert.equal(ran(), 0)
  canGenerate('/made/up')
  assert.equal(ran(), silent.length)
})
