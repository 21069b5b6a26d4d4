import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { bedrockInvoke } from '../../lib/formats/bedrock-invoke.js'
import { type Case, failure, readsAnswers, readsMessages, survivesAnything } from './checks.js'

const metricsJson =
  '"amazon-bedrock-invocationMetrics":{"inputTokenCount":8,"outputTokenCount":6,"invocationLatency":1085,"firstByteLatency":589}'
const metrics = { inputTokens: 8, outputTokens: 6 }

/** What models send; the last `…` of a stream carries metrics. */
const inner: Case[] = [
  [
    'Claude: the start',
    '{"type":"message_start","message":{"id":"msg_bdrk_1","model":"claude-3-haiku","usage":{"input_tokens":8,"output_tokens":1}}}',
    { model: 'claude-3-haiku', responseId: 'msg_bdrk_1', usage: { inputTokens: 8, outputTokens: 1 } },
  ],
  [
    'Claude: text',
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}',
    { text: 'Hi' },
  ],
  [
    'Claude: the figures at the end',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":6}}',
    { finishReason: 'end_turn', usage: { outputTokens: 6 }, replacesUsage: true },
  ],
  ['Claude: the end', `{"type":"message_stop",${metricsJson}}`, { isLast: true, usage: metrics }],
  [
    "Claude: its own figures take precedence over Bedrock's",
    `{"type":"message_delta","delta":{},"usage":{"output_tokens":7},${metricsJson}}`,
    { usage: { inputTokens: 8, outputTokens: 7 }, replacesUsage: true },
  ],
  ['Claude: an error', '{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}', { error: 'Busy' }],
  ['any model: a code and a message', '{"code":"Throttled","message":"Slow down"}', { error: 'Slow down' }],
  ['any model: a message that says so', '{"message":"Internal server error"}', { error: 'Internal server error' }],
  ['Nova: text', '{"contentBlockDelta":{"delta":{"text":"Hi"},"contentBlockIndex":0}}', { text: 'Hi' }],
  [
    'Nova: figures',
    `{"metadata":{"usage":{"inputTokens":8,"outputTokens":6,"cacheReadInputTokenCount":0}},${metricsJson}}`,
    { usage: { ...metrics, cachedInputTokens: 0 }, isLast: true },
  ],
  [
    'Llama: a piece',
    '{"generation":" Hi","prompt_token_count":null,"generation_token_count":2,"stop_reason":null}',
    {
      text: ' Hi',
      usage: { outputTokens: 2 },
    },
  ],
  [
    'Llama: the end',
    `{"generation":"","prompt_token_count":null,"generation_token_count":6,"stop_reason":"stop",${metricsJson}}`,
    { finishReason: 'stop', usage: metrics },
  ],
  [
    'Titan',
    `{"outputText":"Hi","index":0,"totalOutputTextTokenCount":6,"completionReason":"FINISH","inputTextTokenCount":8,${metricsJson}}`,
    { text: 'Hi', finishReason: 'FINISH', usage: metrics },
  ],
  [
    'Mistral',
    `{"outputs":[{"text":"Hi","stop_reason":"stop"}],${metricsJson}}`,
    {
      text: 'Hi',
      finishReason: 'stop',
      usage: metrics,
    },
  ],
  [
    'OpenAI, DeepSeek: chat completions',
    '{"id":"c","model":"gpt-oss","choices":[{"delta":{"content":"Hi","reasoning":"Hm"}}]}',
    { model: 'gpt-oss', responseId: 'c', text: 'HmHi' },
  ],
  [
    "Mistral's chat: whole messages",
    `{"id":"c","model":"pixtral","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"stop_reason":"stop"}],${metricsJson}}`,
    { model: 'pixtral', responseId: 'c', text: 'Hi', finishReason: 'stop', usage: metrics },
  ],
  ["DeepSeek's R1: a piece", '{"choices":[{"index":0,"text":"Hi","stop_reason":null}]}', { text: 'Hi' }],
  [
    "DeepSeek's R1: the end",
    `{"choices":[{"index":0,"text":"","stop_reason":"length"}],${metricsJson}}`,
    { finishReason: 'length', usage: metrics },
  ],
  ['choices that are none', '{"choices":[null,"x"]}', {}],
  ['Cohere: text', '{"event_type":"text-generation","is_finished":false,"text":"Hi"}', { text: 'Hi' }],
  [
    'Cohere: what only repeats',
    `{"event_type":"stream-end","finish_reason":"COMPLETE","is_finished":true,"response":{"text":"Hi"},${metricsJson}}`,
    { finishReason: 'COMPLETE', usage: metrics },
  ],
  [
    'a cache',
    '{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":8,"outputTokenCount":6,"cacheReadInputTokenCount":100,"cacheWriteInputTokenCount":20}}',
    { isLast: true, usage: { ...metrics, cachedInputTokens: 100, cacheWriteTokens: 20 } },
  ],
  ['something unknown', '{"surprise":{"text":"x"}}', {}],
  ['no object', '["text"]', {}],
]

const chunks: Case[] = inner.map(([what, json, says]) => [
  what,
  JSON.stringify({ bytes: Buffer.from(json).toString('base64'), p: 'abcdef' }),
  says,
  'chunk',
])

const others: Case[] = [
  ['an exception', '{"message":"Too many tokens"}', { error: 'Too many tokens' }, 'throttlingException'],
  ['bytes that are not JSON', '{"bytes":"AAECAw=="}', {}, 'chunk'],
  ['bytes that are not base64', '{"bytes":"{}%$"}', {}, 'chunk'],
  ['bytes that are not a string', '{"bytes":[123,125]}', {}, 'chunk'],
  ['nothing', '{}', {}, 'chunk'],
  ['a message that is not wrapped', '{"type":"message_stop"}', { isLast: true }],
]

const answers: Case[] = [
  [
    'Claude',
    '{"id":"msg_bdrk_1","type":"message","role":"assistant","model":"claude-3-haiku","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":6}}',
    { model: 'claude-3-haiku', responseId: 'msg_bdrk_1', finishReason: 'end_turn', text: 'Hi', usage: metrics },
  ],
  [
    'Nova',
    '{"output":{"message":{"role":"assistant","content":[{"text":"Hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":8,"outputTokens":6,"totalTokens":14}}',
    { finishReason: 'end_turn', text: 'Hi', usage: { ...metrics, totalTokens: 14 } },
  ],
  [
    'Titan',
    '{"inputTextTokenCount":8,"results":[{"tokenCount":6,"outputText":"Hi","completionReason":"FINISH"}]}',
    { finishReason: 'FINISH', text: 'Hi', usage: metrics },
  ],
  [
    'Llama',
    '{"generation":"Hi","prompt_token_count":8,"generation_token_count":6,"stop_reason":"stop"}',
    { finishReason: 'stop', text: 'Hi', usage: metrics },
  ],
  ['Cohere', '{"generations":[{"finish_reason":"COMPLETE","text":"Hi"}]}', { finishReason: 'COMPLETE', text: 'Hi' }],
  [
    'OpenAI',
    '{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":6}}',
    { finishReason: 'stop', text: 'Hi', usage: metrics },
  ],
  [
    "Mistral's chat",
    '{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"stop_reason":"tool_calls"}]}',
    { finishReason: 'tool_calls', text: 'Hi' },
  ],
  ["DeepSeek's R1", '{"choices":[{"text":"Hi","stop_reason":"stop"}]}', { finishReason: 'stop', text: 'Hi' }],
  ["an error of AWS's", '{"message":"Malformed input request"}', { error: 'Malformed input request' }],
  ["an error of the model's", '{"type":"error","error":{"message":"No"}}', { error: 'No' }],
]

describe('bedrock-invoke: messages of a stream', () => readsMessages(bedrockInvoke, [...chunks, ...others], false))
describe('bedrock-invoke: answers', () => readsAnswers(bedrockInvoke, answers))
survivesAnything(bedrockInvoke, [...inner.slice(0, -1), ...others, ...answers])

test('bedrock-invoke: invalid chunks throw nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      bedrockInvoke.readMessage({ bytes: Buffer.from(text).toString('base64') }, 'chunk')
    }),
  )
})

test("bedrock-invoke: failures have AWS's format", () => {
  assert.deepEqual(bedrockInvoke.errorBody(failure), { message: failure.message, code: 'idle_timeout' })
  assert.equal(bedrockInvoke.isErrorBody(bedrockInvoke.errorBody(failure)), true)
  assert.equal(bedrockInvoke.isTerminator(Buffer.from('message_stop')), false)
})

describe('bedrock-invoke: the path of the token limit', () => {
  for (const [request, path] of [
    [{ anthropic_version: 'bedrock-2023-05-31', messages: [] }, 'max_tokens'],
    [{}, 'max_tokens'],
    [{ inferenceConfig: {} }, 'inferenceConfig.maxTokens'],
    [{ inferenceConfig: { max_new_tokens: 5 } }, 'inferenceConfig.maxTokens'],
    [{ inputText: 'x', textGenerationConfig: {} }, 'textGenerationConfig.maxTokenCount'],
    [{ prompt: 'x', max_gen_len: 5 }, 'max_gen_len'],
    [{ messages: [], max_completion_tokens: 5 }, 'max_completion_tokens'],
  ] as const) {
    test(`${JSON.stringify(request)}: ${path}`, () =>
      assert.deepEqual(bedrockInvoke.maxOutputTokensPath(request), path.split('.')))
  }

  const other = { max_gen_len: 5, inferenceConfig: {}, textGenerationConfig: {}, max_completion_tokens: 5 }
  for (const [model, path] of [
    ['us.amazon.nova-pro-v1:0', 'inferenceConfig.maxTokens'],
    ['amazon.titan-text-express-v1', 'textGenerationConfig.maxTokenCount'],
    ['us.meta.llama4-scout-17b-instruct-v1:0', 'max_gen_len'],
    ['openai.gpt-oss-120b-1:0', 'max_completion_tokens'],
    ['ai21.j2-ultra-v1', 'maxTokens'],
    ['ai21.jamba-1-5-large-v1:0', 'max_tokens'],
    ['anthropic.claude-sonnet-4-5-20250929-v1:0', 'max_tokens'],
    ['arn:aws:bedrock:us-east-1::foundation-model%2Fmeta.llama3-70b-instruct-v1:0', 'max_gen_len'],
    ['arn:aws:bedrock:us-east-1:1:imported-model%2Fx', 'inferenceConfig.maxTokens'],
  ] as const) {
    test(`${model}: ${path}, whatever the request contains`, () => {
      const url = `https://bedrock-runtime.us-east-1.amazonaws.com/model/${model}/invoke`
      assert.deepEqual(bedrockInvoke.maxOutputTokensPath(other, url), path.split('.'))
    })
  }
})
