import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { operationOf, providerOf, serverOf } from '../../lib/metrics/genai-names.js'

describe('gen_ai.operation.name', () => {
  const cases: readonly [format: string, path: string, operation: string | undefined, model?: string][] = [
    ['openai-chat', '/v1/chat/completions', 'chat', 'gpt-4o'],
    ['openai-chat', '/openai/deployments/mine/chat/completions', 'chat'],
    ['openai-chat', '/my/own/path', 'chat', 'gpt-4o'],
    ['openai-completions', '/v1/completions', 'text_completion'],
    ['openai-responses', '/v1/responses', 'chat'],
    ['openai-embeddings', '/v1/embeddings', 'embeddings'],
    ['anthropic', '/v1/messages', 'chat'],
    ['gemini', '/v1beta/models/gemini-2.5-pro:generateContent', 'generate_content'],
    ['gemini', '/v1beta/models/gemini-2.5-pro:streamGenerateContent', 'generate_content'],
    ['gemini', '/v1beta/models/gemini-embedding-001:embedContent', 'embeddings'],
    ['gemini', '/v1beta/models/gemini-embedding-001:batchEmbedContents', 'embeddings'],
    ['bedrock-converse', '/model/anthropic.claude-3/converse-stream', 'chat'],
    ['bedrock-invoke', '/model/anthropic.claude-3/invoke', 'chat', 'anthropic.claude-3'],
    ['bedrock-invoke', '/model/m/invoke', 'embeddings', 'amazon.titan-embed-text-v2:0'],
    ['ollama-chat', '/api/chat', 'chat'],
    ['ollama-generate', '/api/generate', 'text_completion'],
    ['ollama-generate', '/api/embed', 'embeddings'],
    ['cohere', '/v2/chat', 'chat'],
    ['cohere', '/v2/embed', 'embeddings'],
    ['openai-chat', '/v1/images/generations', 'generate_content', 'gpt-image-1'],
    ['openai-chat', '/v1/audio/speech', 'generate_content', 'tts-1'],

    ['anthropic', '/v1/messages/count_tokens', undefined, 'claude'],
    ['gemini', '/v1beta/models/gemini-2.5-pro:countTokens', undefined],
    ['openai-chat', '/v1/moderations', undefined, 'omni-moderation-latest'],
    ['openai-responses', '/v1/responses/resp_1/cancel', undefined],
    ['cohere', '/v2/rerank', undefined, 'rerank-v3.5'],
    ['openai-chat', '/v1/files', undefined],
  ]
  for (const [format, path, operation, model] of cases) {
    test(`${format}: POST ${path}${model ? ` (${model})` : ''} is ${operation ?? 'none'}`, () => {
      assert.equal(operationOf(format, { method: 'POST', path, model }), operation)
    })
  }

  test('is undefined for requests that only read', () => {
    assert.equal(
      operationOf('openai-chat', { method: 'GET', path: '/v1/chat/completions', model: undefined }),
      undefined,
    )
  })
})

describe('gen_ai.provider.name', () => {
  const byHost = {
    'api.openai.com': 'openai',
    'eu.api.openai.com': 'openai',
    'mine.openai.azure.com': 'azure.ai.openai',
    'mine.services.ai.azure.com': 'azure.ai.inference',
    'api.deepseek.com': 'deepseek',
    'api.groq.com': 'groq',
    'api.mistral.ai': 'mistral_ai',
    'api.moonshot.cn': 'moonshot_ai',
    'api.perplexity.ai': 'perplexity',
    'api.x.ai': 'x_ai',
    'eu-de.ml.cloud.ibm.com': 'ibm.watsonx.ai',
    'us-central1-aiplatform.googleapis.com': 'gcp.vertex_ai',
    'aiplatform.googleapis.com': 'gcp.vertex_ai',
    'generativelanguage.googleapis.com': 'gcp.gemini',
    'bedrock-runtime.eu-west-1.amazonaws.com': 'aws.bedrock',
    'api.anthropic.com': 'anthropic',
    'api.cohere.com': 'cohere',
    localhost: 'openai',
    'notapi.x.ai.example.com': 'openai',
  }
  for (const [host, provider] of Object.entries(byHost)) {
    test(`is ${provider} for OpenAI's protocol at ${host}`, () => {
      assert.equal(providerOf('openai-chat', host), provider)
    })
  }

  const byFormat = {
    'openai-responses': 'openai',
    anthropic: 'anthropic',
    gemini: 'gcp.gemini',
    'bedrock-converse': 'aws.bedrock',
    'bedrock-invoke': 'aws.bedrock',
    'ollama-chat': 'ollama',
    'ollama-generate': 'ollama',
    cohere: 'cohere',
    'a-new-one': 'a-new-one',
  }
  for (const [format, provider] of Object.entries(byFormat)) {
    test(`is ${provider} for ${format} at an unknown host`, () => {
      assert.deepEqual([providerOf(format, 'localhost'), providerOf(format, undefined)], [provider, provider])
    })
  }
})

describe('server.address and server.port', () => {
  const cases = {
    'api.openai.com:443': ['api.openai.com', 443],
    'api.openai.com': ['api.openai.com', undefined],
    '127.0.0.1:8080': ['127.0.0.1', 8080],
    '[::1]:8080': ['::1', 8080],
    '[::1]': ['::1', undefined],
  }
  for (const [host, [address, port]] of Object.entries(cases)) {
    test(host, () => assert.deepEqual(serverOf(host), { address, port }))
  }
})
