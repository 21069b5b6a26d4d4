import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openaiResponses } from '../../lib/formats/openai-responses.js'
import { type Case, readsAnswers, readsMessages, survivesAnything, tellsTerminators } from './checks.js'

const named = { model: 'gpt-5-mini', responseId: 'resp_1' }
const response = (status: string, rest: string) =>
  `{"id":"resp_1","object":"response","status":"${status}","max_output_tokens":null,"model":"gpt-5-mini",${rest},"metadata":{}}`
const nothing = '"error":null,"incomplete_details":null,"output":[],"usage":null'
const usageJson =
  '{"input_tokens":37,"input_tokens_details":{"cached_tokens":11},"output_tokens":12,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":49}'
const usage = { inputTokens: 37, outputTokens: 12, totalTokens: 49, cachedInputTokens: 11, reasoningTokens: 5 }
const output =
  '[{"type":"reasoning","summary":[{"type":"summary_text","text":"Hm. "}]},{"type":"message","content":[{"type":"output_text","text":"Hello"},{"type":"refusal","refusal":", no"}]},{"type":"function_call","name":"f","arguments":"{}"},{"type":"custom_tool_call","input":"x"},{"type":"code_interpreter_call","code":"1"},{"type":"mcp_list_tools","tools":[{"name":"t"}]}]'

const messages: Case[] = [
  [
    'created',
    `{"type":"response.created","sequence_number":0,"response":${response('in_progress', nothing)}}`,
    { ...named, isPending: true },
    'response.created',
  ],
  ['queued', `{"type":"response.queued","response":${response('queued', nothing)}}`, { ...named, isPending: true }],
  [
    'a delta of the answer',
    '{"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hel","logprobs":[]}',
    { text: 'Hel' },
    'response.output_text.delta',
  ],
  ['a delta named by the event only', '{"delta":"Hel"}', { text: 'Hel' }, 'response.output_text.delta'],
  ['a summary of reasoning', '{"type":"response.reasoning_summary_text.delta","delta":"Hm"}', { text: 'Hm' }],
  ['reasoning', '{"type":"response.reasoning_text.delta","delta":"Hm"}', { text: 'Hm' }],
  ['a refusal', '{"type":"response.refusal.delta","delta":"No"}', { text: 'No' }],
  ['arguments', '{"type":"response.function_call_arguments.delta","delta":"{\\"a"}', { text: '{"a' }],
  ['arguments for MCP', '{"type":"response.mcp_call_arguments.delta","delta":"{}"}', { text: '{}' }],
  ['input of a custom tool', '{"type":"response.custom_tool_call_input.delta","delta":"x"}', { text: 'x' }],
  ['code', '{"type":"response.code_interpreter_call_code.delta","delta":"1+1"}', { text: '1+1' }],
  ['a transcript', '{"type":"response.audio.transcript.delta","delta":"Hi"}', { text: 'Hi' }],
  ['audio is not text', '{"type":"response.audio.delta","delta":"UklGRg=="}', {}],
  [
    'a `done` repeats',
    '{"type":"response.output_text.done","item_id":"msg_1","text":"Hello"}',
    { whole: { id: 'msg_1', text: 'Hello' } },
  ],
  [
    'an item that is done repeats',
    '{"type":"response.output_item.done","output_index":0,"item":{"id":"msg_1","type":"message","content":[{"type":"output_text","text":"Hello"}]}}',
    { whole: { id: 'msg_1', text: 'Hello' } },
  ],
  [
    'completed',
    `{"type":"response.completed","sequence_number":9,"response":${response('completed', `"error":null,"incomplete_details":null,"output":${output},"usage":${usageJson}`)}}`,
    { ...named, finishReason: 'completed', usage, isLast: true },
    'response.completed',
  ],
  [
    'incomplete',
    `{"type":"response.incomplete","response":${response('incomplete', `"error":null,"incomplete_details":{"reason":"max_output_tokens"},"output":[],"usage":${usageJson}`)}}`,
    { ...named, finishReason: 'max_output_tokens', usage, isLast: true },
  ],
  [
    'failed',
    `{"type":"response.failed","response":${response('failed', '"error":{"code":"server_error","message":"It broke"},"output":[],"usage":null')}}`,
    { ...named, finishReason: 'failed', error: 'It broke', isLast: true },
  ],
  [
    'an error',
    '{"type":"error","code":"rate_limit_exceeded","message":"Slow down","param":null,"sequence_number":1}',
    { error: 'Slow down' },
    'error',
  ],
  ['an error that has but a code', '{"type":"error","code":"oops","message":null}', { error: 'oops' }, 'error'],
  [
    'an error in the form of all others',
    '{"type":"error","error":{"type":"server_error","message":"It broke"},"sequence_number":1}',
    { error: 'It broke' },
  ],
]

const answers: Case[] = [
  [
    'an answer',
    response('completed', `"error":null,"incomplete_details":null,"output":${output},"usage":${usageJson}`),
    { ...named, finishReason: 'completed', usage, text: 'Hm. Hello, no{}x1' },
  ],
  [
    'reasoning in full, and its summary',
    '{"id":"resp_1","output":[{"type":"reasoning","summary":[{"text":"Hm"}],"content":[{"type":"reasoning_text","text":"Let me think"}]}]}',
    { responseId: 'resp_1', text: 'Let me think' },
  ],
  ['a token count is not usage', '{"object":"response.input_tokens","input_tokens":11}', {}],
  ['an error', '{"error":{"message":"No"}}', { error: 'No' }],
]

describe('openai-responses: messages of a stream', () => readsMessages(openaiResponses, messages))
describe('openai-responses: answers', () => readsAnswers(openaiResponses, answers))
survivesAnything(openaiResponses, [...messages, ...answers])

test('openai-responses: usage is reported unasked, and the token limit has its own field', () => {
  assert.equal(openaiResponses.usageRequest, undefined)
  assert.deepEqual(openaiResponses.maxOutputTokensPath({}), ['max_output_tokens'])
})

describe('openai-responses: the end of a stream', () =>
  tellsTerminators(
    openaiResponses,
    ['response.completed', 'response.incomplete', 'response.failed', 'response.cancelled'].map(
      (name) => `event: ${name}\ndata: {"type":"${name}"}\n\n`,
    ),
    ['data: [DONE]\n\n', 'event: done\ndata: [DONE]\n\n', 'event: response.created\ndata: {}\n\n'],
  ))

describe('openai-responses: the event of an error of the provider’s', () => {
  for (const [error, code] of [
    [{ message: 'Slow down', type: 'rate_limit_error', code: 'rate_limited' }, 'rate_limited'],
    [{ message: 'Slow down', type: 'rate_limit_error', code: null }, 'rate_limit_error'],
    [{ message: 'Slow down' }, 'server_error'],
  ] as const) {
    test(`has a code: ${code}`, () => {
      const state = { responseId: 'resp_1', model: 'm', nextSequenceNumber: 7 }
      const [name, data] = openaiResponses.errorEvent({ error }, state).split('\ndata: ')
      const event = JSON.parse(data!)
      assert.equal(name, 'event: response.failed')
      assert.deepEqual([event.type, event.sequence_number, event.error], ['response.failed', 7, error])
      assert.deepEqual(event.response.error, { code, message: 'Slow down' })
    })
  }
})
