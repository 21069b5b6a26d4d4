import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cohere } from '../../lib/formats/cohere.js'
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

describe('cohere: failures', () => {
  test('the body has a message, and our code next to it', () => {
    assert.deepEqual(cohere.errorBody(failure), { message: failure.message, code: 'idle_timeout' })
  })

  test('the event is one unnamed data event, which makes the SDK throw', () => {
    const body = cohere.errorBody(failure)
    assert.equal(cohere.errorEvent(body), `data: ${JSON.stringify(body)}\n\n`)
  })

  test("Cohere's own errors are recognised, nothing else is", () => {
    assert.equal(cohere.isErrorBody(cohere.errorBody(failure)), true)
    for (const body of [...noErrors, { message: { role: 'assistant' } }]) {
      assert.equal(cohere.isErrorBody(body), false, JSON.stringify(body))
    }
  })
})

describe('cohere: the terminator', () => {
  tellsTerminators(
    cohere,
    [
      'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE"}}\n\n',
      'event:message-end\r\ndata:{"type":"message-end"}\r\n\r\n',
      'event: message-end\ndata: {}\n\n',
      'data: {"type": "message-end"}\n\n',
    ],
    [
      'event: content-delta\ndata: {"type":"content-delta","delta":{"message":{"content":{"text":"message-end"}}}}\n\n',
      'data: {"type":"content-delta","delta":{"message":{"content":{"text":"message-end"}}}}\n\n',
      'event: message-start\ndata: {"type":"message-start"}\n\n',
      ': message-end\n\n',
      'data: message-end\n\n',
      'data: [DONE]\n\n',
    ],
  )
  decodesNothing(
    cohere,
    `event: content-delta\ndata: {"delta":{"message":{"content":{"text":"${'x'.repeat(5000)}"}}}}\n\n`,
  )
})

const messages: Case[] = [
  [
    'the start',
    '{"id":"321d178c","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}',
    { responseId: '321d178c' },
    'message-start',
  ],
  [
    'a content begins',
    '{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}',
    {},
    'content-start',
  ],
  [
    'text',
    '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" Paris"}}}}',
    { text: ' Paris' },
    'content-delta',
  ],
  ['thinking', '{"type":"content-delta","delta":{"message":{"content":{"thinking":"Hm"}}}}', { text: 'Hm' }],
  ['the plan', '{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}', { text: 'I will' }],
  [
    'a call begins',
    '{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}',
    { callsTool: true },
  ],
  [
    'its arguments',
    '{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\\"a\\""}}}}}',
    { text: '{"a"', callsTool: true },
  ],
  [
    'a citation is not text',
    '{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1,"text":"x"}}}}',
    {},
  ],
  [
    'the end',
    '{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10},"cached_tokens":448}}}',
    {
      finishReason: 'COMPLETE',
      usage: { inputTokens: 507, outputTokens: 10, cachedInputTokens: 448 },
      isLast: true,
    },
    'message-end',
  ],
  [
    'the end, with billed units only',
    '{"delta": {"finish_reason": "MAX_TOKENS", "usage": {"billed_units": {"input_tokens": 12, "output_tokens": 7}}}}',
    { finishReason: 'MAX_TOKENS', usage: { inputTokens: 12, outputTokens: 7 }, isLast: true },
    'message-end',
  ],
  [
    'the end by an error',
    '{"type":"message-end","delta":{"error":"It broke","finish_reason":"ERROR"}}',
    { finishReason: 'ERROR', error: 'It broke', isLast: true },
  ],
  ['an error', '{"id":"x","message":"too many requests"}', { responseId: 'x', error: 'too many requests' }],
]

const answers: Case[] = [
  [
    'an answer',
    '{"id":"321d178c","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will. ","content":[{"type":"thinking","thinking":"Hm. "},{"type":"text","text":"Hello"}],"tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"usage":{"billed_units":{"input_tokens":12,"output_tokens":7},"tokens":{"input_tokens":507,"output_tokens":10}}}',
    {
      responseId: '321d178c',
      finishReason: 'TOOL_CALL',
      text: 'I will. Hm. Hello{}',
      usage: { inputTokens: 507, outputTokens: 10 },
    },
  ],
  ['an error', '{"message":"invalid api token"}', { error: 'invalid api token' }],
]

describe('cohere: messages of a stream', () => readsMessages(cohere, messages))
describe('cohere: answers', () => readsAnswers(cohere, answers))
survivesAnything(cohere, [...messages, ...answers])

test('cohere: usage is reported unasked', () => {
  assert.equal(cohere.usageRequest, undefined)
  assert.deepEqual(cohere.maxOutputTokensPath({}), ['max_tokens'])
})
