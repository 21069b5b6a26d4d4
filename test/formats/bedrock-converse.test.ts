import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bedrockConverse } from '../../lib/formats/bedrock-converse.js'
import { type Case, failure, noErrors, readsAnswers, readsMessages, survivesAnything } from './checks.js'

describe('bedrock-converse: failures', () => {
  test('the body has the fields that SDKs read', () => {
    assert.deepEqual(bedrockConverse.errorBody(failure), { message: failure.message, code: 'idle_timeout' })
  })

  test('the event is one data event with the body', () => {
    assert.equal(bedrockConverse.errorEvent({ message: 'a\nb' }), 'data: {"message":"a\\nb"}\n\n')
  })

  test("Bedrock's own errors are recognised, nothing else is", () => {
    assert.equal(bedrockConverse.isErrorBody(bedrockConverse.errorBody(failure)), true)
    assert.equal(bedrockConverse.isErrorBody({ Message: 'Forbidden' }), true)
    for (const body of [...noErrors, { message: null }, { message: { role: 'assistant' } }]) {
      assert.equal(bedrockConverse.isErrorBody(body), false, JSON.stringify(body))
    }
  })

  test('no frame is a terminator', () => {
    assert.equal(bedrockConverse.isTerminator(Buffer.from('messageStop')), false)
  })
})

const usageJson =
  '{"inputTokens":22,"outputTokens":55,"serverToolUsage":{},"totalTokens":1077,"cacheReadInputTokens":1000,"cacheWriteInputTokens":0}'
const usage = {
  inputTokens: 22,
  outputTokens: 55,
  totalTokens: 1077,
  cachedInputTokens: 1000,
  cacheWriteTokens: 0,
}

const messages: Case[] = [
  ['the start', '{"role":"assistant","p":"abcd"}', {}, 'messageStart'],
  ['text', '{"contentBlockIndex":0,"delta":{"text":"Let"},"p":"ab"}', { text: 'Let' }, 'contentBlockDelta'],
  ['text, its event unknown', '{"contentBlockIndex":0,"delta":{"text":"Let"}}', { text: 'Let' }],
  [
    'reasoning',
    '{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm"}}}',
    { text: 'Hm' },
    'contentBlockDelta',
  ],
  [
    'a signature is not text',
    '{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"EqQB"}}}',
    {},
    'contentBlockDelta',
  ],
  [
    'a tool begins',
    '{"contentBlockIndex":1,"start":{"toolUse":{"name":"f","toolUseId":"t"}}}',
    { callsTool: true },
    'contentBlockStart',
  ],
  ['its input', '{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\\"a"}}}', { text: '{"a' }, 'contentBlockDelta'],
  ['a block ends', '{"contentBlockIndex":0}', {}, 'contentBlockStop'],
  ['the end', '{"stopReason":"end_turn"}', { finishReason: 'end_turn' }, 'messageStop'],
  ['the figures come last', `{"metrics":{"latencyMs":2040},"usage":${usageJson}}`, { usage, isLast: true }, 'metadata'],
  [
    'the model that a router chose',
    `{"usage":${usageJson},"trace":{"promptRouter":{"invokedModelId":"amazon.nova-lite"}}}`,
    { model: 'amazon.nova-lite', usage, isLast: true },
    'metadata',
  ],
  ['wrapped: text', '{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Let"}}}', { text: 'Let' }],
  ['wrapped: the end', '{"messageStop":{"stopReason":"max_tokens"}}', { finishReason: 'max_tokens' }],
  ['wrapped: figures', `{"metadata":{"usage":${usageJson}}}`, { usage, isLast: true }],
  [
    'wrapped, in a frame that has a name as well',
    `{"metadata":{"usage":${usageJson}}}`,
    { usage, isLast: true },
    'metadata',
  ],
  ['an exception', '{"message":"Too many requests"}', { error: 'Too many requests' }, 'throttlingException'],
  [
    'an exception of the model',
    '{"originalStatusCode":500,"originalMessage":"x"}',
    { error: 'modelStreamErrorException' },
    'modelStreamErrorException',
  ],
  ['wrapped: an exception', '{"internalServerException":{"Message":"It broke"}}', { error: 'It broke' }],
  ['a message outside an exception is not an error', '{"message":"x"}', {}, 'messageStart'],
]

const answers: Case[] = [
  [
    'an answer',
    `{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"Hm. ","signature":"s"}}},{"text":"Hello"},{"toolUse":{"toolUseId":"t","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":${usageJson}}`,
    { finishReason: 'tool_use', text: 'Hm. Hello{"a":1}', usage },
  ],
  ['a token count is not usage', '{"inputTokens":11}', {}],
  [
    'an error',
    '{"message":"The provided model identifier is invalid."}',
    {
      error: 'The provided model identifier is invalid.',
    },
  ],
]

describe('bedrock-converse: messages of a stream', () => readsMessages(bedrockConverse, messages))
describe('bedrock-converse: answers', () => readsAnswers(bedrockConverse, answers))
survivesAnything(bedrockConverse, [...messages, ...answers])

test('bedrock-converse: the path of the token limit', () => {
  assert.deepEqual(bedrockConverse.maxOutputTokensPath({}), ['inferenceConfig', 'maxTokens'])
})
