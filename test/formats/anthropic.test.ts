import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { anthropic } from '../../lib/formats/anthropic.js'
import {
  type Case,
  decodesNothing,
  failure,
  noErrors,
  readsAnswers,
  readsMessages,
  survivesAnything,
  tellsTerminators,
} from './checks.js'

describe('anthropic: failures', () => {
  test('the body has its own type, and the code within the error', () => {
    assert.deepEqual(anthropic.errorBody(failure), {
      type: 'error',
      error: { type: 'timeout_error', message: failure.message, code: 'idle_timeout' },
    })
  })

  for (const [status, type] of [
    [400, 'invalid_request_error'],
    [404, 'not_found_error'],
    [413, 'request_too_large'],
    [500, 'api_error'],
    [502, 'api_error'],
    [503, 'overloaded_error'],
    [504, 'timeout_error'],
  ] as const) {
    test(`type for ${status}`, () => {
      const { error } = anthropic.errorBody({ ...failure, status }) as { error: { type: string } }
      assert.equal(error.type, type)
    })
  }

  test('the event is named error, and contains the body', () => {
    const body = anthropic.errorBody(failure)
    const text = anthropic.errorEvent(body)
    assert.equal(text, `event: error\ndata: ${JSON.stringify(body)}\n\n`)
    const events: EventSourceMessage[] = []
    createParser({ onEvent: (event) => void events.push(event) }).feed(text)
    assert.equal(events.length, 1)
    assert.equal(events[0]?.event, 'error')
    assert.deepEqual(JSON.parse(events[0]!.data), body)
  })

  test('the terminator is a short event, so a long one is not parsed', () => {
    const stop = (padding: number) =>
      Buffer.from(`event: message_stop\ndata: {"type":"message_stop","p":"${'x'.repeat(padding)}"}\n\n`)
    assert.equal(anthropic.isTerminator(stop(0)), true)
    assert.equal(anthropic.isTerminator(stop(400)), true)
    assert.equal(anthropic.isTerminator(stop(100_000)), false)
  })

  test('the error event is not a terminator', () => {
    assert.equal(anthropic.isTerminator(Buffer.from(anthropic.errorEvent({ type: 'error' }))), false)
  })

  test("Anthropic's own errors are recognised, nothing else is", () => {
    assert.equal(anthropic.isErrorBody(anthropic.errorBody(failure)), true)
    for (const body of [...noErrors, { error: { message: 'x' } }, { type: 'message', error: 'x' }]) {
      assert.equal(anthropic.isErrorBody(body), false, JSON.stringify(body))
    }
  })
})

describe('anthropic: the terminator', () => {
  const metrics = { type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: 12, latency: 1234 } }
  tellsTerminators(
    anthropic,
    [
      'event: message_stop\ndata: {"type":"message_stop"}\n\n',
      'event:message_stop\ndata:{"type":"message_stop"}\n\n',
      'event: message_stop\r\ndata: {"type":"message_stop"}\r\n\r\n',
      'event: message_stop\rdata: {"type":"message_stop"}\r\r',
      'event: message_stop\ndata: {"type":"message_stop"           }\n\n',
      'data: {"type":"message_stop"}\n\n',
      `event: message_stop\ndata: ${JSON.stringify(metrics)}\n\n`,
    ],
    [
      'event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"message_stop"}}\n\n',
      'event: content_block_delta\ndata: {"delta":{"text":"event: message_stop\\n"}}\n\n',
      'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
      'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n',
      ': message_stop\n\n',
      'event: message_stopped\ndata: {}\n\n',
      'data: message_stop\n\n',
      'data: [DONE]\n\n',
    ],
  )
  decodesNothing(anthropic, `event: content_block_delta\ndata: {"delta":{"text":"${'x'.repeat(5000)}"}}\n\n`)
})

const messages: Case[] = [
  [
    'the start: names, and the first figures',
    '{"type":"message_start","message":{"model":"claude-sonnet-4-5","id":"msg_01","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":1000,"cache_creation":{"ephemeral_5m_input_tokens":3},"output_tokens":1,"service_tier":"standard"}}}',
    {
      model: 'claude-sonnet-4-5',
      responseId: 'msg_01',
      usage: { inputTokens: 12, outputTokens: 1, cachedInputTokens: 1000, cacheWriteTokens: 3 },
    },
    'message_start',
  ],
  ['a block of text begins', '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}', {}],
  [
    'a block begins with some text',
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hel"}}',
    { text: 'Hel' },
  ],
  [
    'the empty input at the start of a tool use is not text',
    '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"json","input":{}}}',
    { callsTool: true },
  ],
  ['a ping', '{"type": "ping"}', {}, 'ping'],
  [
    'text',
    '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}',
    { text: 'Hello' },
    'content_block_delta',
  ],
  [
    'thinking',
    '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}',
    { text: 'Hm' },
  ],
  [
    'the input of a tool',
    '{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\": "}}',
    { text: '{"a": ' },
  ],
  [
    'a signature is not text',
    '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQBCgIYAhIM"}}',
    {},
  ],
  [
    'a citation is not text',
    '{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}',
    {},
  ],
  ['a block ends', '{"type":"content_block_stop","index":0}', {}],
  [
    'the figures at the end',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":30}}',
    {
      finishReason: 'end_turn',
      usage: { inputTokens: 12, outputTokens: 30, cachedInputTokens: 0, cacheWriteTokens: 0 },
      replacesUsage: true,
    },
    'message_delta',
  ],
  [
    'output figures only, some of it thinking',
    '{"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 15, "input_tokens": null, "output_tokens_details": {"thinking_tokens": 9}}}',
    { finishReason: 'max_tokens', usage: { outputTokens: 15, reasoningTokens: 9 }, replacesUsage: true },
  ],
  ['the end', '{"type":"message_stop"}', { isLast: true }, 'message_stop'],
  ['the end, named by the event only', '{}', { isLast: true }, 'message_stop'],
  [
    'an error',
    '{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"}}',
    { error: 'Overloaded' },
    'error',
  ],
]

const answers: Case[] = [
  [
    'an answer',
    '{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"thinking","thinking":"Hm. ","signature":"EqQB"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":20}}',
    {
      model: 'claude-sonnet-4-5',
      responseId: 'msg_01',
      finishReason: 'tool_use',
      text: 'Hm. Hello{"a":1}',
      usage: { inputTokens: 10, outputTokens: 20 },
    },
  ],
  ['a token count is not usage', '{"input_tokens":14}', {}],
  ['an error', '{"type":"error","error":{"type":"not_found_error","message":"No"}}', { error: 'No' }],
]

describe('anthropic: messages of a stream', () => readsMessages(anthropic, messages))
describe('anthropic: answers', () => readsAnswers(anthropic, answers))
survivesAnything(anthropic, [...messages, ...answers])

test('anthropic: usage is reported unasked', () => {
  assert.equal(anthropic.usageRequest, undefined)
  assert.deepEqual(anthropic.maxOutputTokensPath({}), ['max_tokens'])
})
