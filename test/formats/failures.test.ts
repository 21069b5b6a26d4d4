import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure } from '../../lib/formats/failed-finish.js'
import { anyErrorIn, loneErrorIn, mayReportError } from '../../lib/formats/failures.js'
import { spokenErrorIn } from '../../lib/formats/said-instead.js'

const said = 'It broke'

/** Each message reports an error; the others differ from it in one word, and report none. */
const messages: [error: object, none: object][] = [
  [
    { type: 'com.amazon#ThrottlingException', message: said },
    { type: 'com.amazon#Throttling', message: said },
  ],
  [
    { type: 'InternalFailure', message: said },
    { type: 'Internal', message: said },
  ],
  [
    { type: 'ServiceFault', message: said },
    { type: 'Service', message: said },
  ],
  [
    { type: 'api_error', message: said },
    { type: 'api', message: said },
  ],
  [
    { originalStatusCode: 424, message: said },
    { originalStatusCode: 200, message: said },
  ],
  [
    { http_status: 503, message: said },
    { http_status: 200, message: said },
  ],
  [
    { resultCode: 'Throttled', resultMsg: said },
    { resultCode: 'OK', resultMsg: said },
  ],
  [
    { err_no: 18, err_msg: said },
    { err_no: 0, err_msg: said },
  ],
  [
    { ret: 'FAILED', retMsg: said },
    { ret: 0, retMsg: said },
  ],
  [
    { isError: true, message: said },
    { isError: false, message: said },
  ],
  [
    { has_failed: true, message: said },
    { has_failed: false, message: said },
  ],
  [
    { is_exception: true, message: said },
    { is_exception: false, message: said },
  ],
  [
    { error: true, message: said },
    { error: false, message: said },
  ],
  [
    { error: 1, msg: said },
    { error: 0, msg: said },
  ],
  [
    { error: 500, detail: said },
    { error: 0, detail: null },
  ],
  [
    { error: { x: 1 }, message: said },
    { error: {}, message: said },
  ],
  [
    { Error: true, Message: said },
    { Error: false, Message: said },
  ],
  [
    { errors: [{ x: 1 }], message: said },
    { errors: [], message: said },
  ],
  [{ failureReason: said }, { reason: said }],
  [{ fault: said }, { default: said }],
  [{ error_description: said }, { description: said }],
  [
    { timed_out: true, message: said },
    { timed_out: false, message: said },
  ],
  [
    { success: false, message: said },
    { success: true, message: said },
  ],
  [
    { ok: 'false', message: said },
    { ok: 'true', message: said },
  ],
  [
    { level: 'fatal', message: said },
    { level: 'info', message: said },
  ],
  [
    { code: 500, message: said, finish_reason: 'error' },
    { code: 500, message: said, finish_reason: 'stop' },
  ],
  [
    { code: 500, message: said, stopReason: '' },
    { code: 500, message: said, stopReason: 'end_turn' },
  ],
  [
    { code: 500, message: said, trace: ['a'] },
    { code: 500, message: said, tools: ['a'] },
  ],
  [
    { status: 400, message: said },
    { status: 399, message: said },
  ],
  [
    { errors: [{ message: said }], choices: [] },
    { errors: [{ message: said }], choices: [{ text: 'Once' }] },
  ],
  [
    { code: 500, message: said, content: '' },
    { code: 500, message: said, content: 'Once' },
  ],
  [{ data: { error: said } }, { data: { error: null } }],
]

describe('a message reports an error', () => {
  for (const [error, none] of messages) {
    test(JSON.stringify(error), () => {
      assert.equal(anyErrorIn(error), said)
      assert.equal(mayReportError(Buffer.from(JSON.stringify(error))), true)
    })
    test(`but not ${JSON.stringify(none)}`, () => assert.equal(anyErrorIn(none), undefined))
  }
})

test('a message of an unknown protocol is an error only if it consists of one', () => {
  const error = { state: 'failed', code: 'E1', message: said, request_id: 'r' }
  assert.equal(loneErrorIn(error), said)
  assert.equal(loneErrorIn({ ...error, job: { name: 'a' } }), undefined)
  assert.equal(loneErrorIn({ ...error, code: 'throw new Error("x")' }), undefined)
  // A mere state may be what was asked for.
  for (const state of [{ success: false }, { ok: false }, { state: 'failed' }]) {
    assert.equal(loneErrorIn(state), undefined, JSON.stringify(state))
  }
})

describe('a text in the place of a message is an error', () => {
  for (const text of [
    'Error: out of memory',
    'java.lang.IllegalStateException: closed',
    'An upstream exception: closed',
    '[ERROR] out of memory',
    'error code: 502',
    '<!DOCTYPE html><html></html>',
    '502 Bad Gateway',
    'Forbidden',
  ]) {
    test(text, () => assert.equal(spokenErrorIn(text), text))
  }
  for (const text of [
    'No error: all went well',
    'Exceptional weather',
    'Forbidden fruit tastes best',
    'Errors happen',
  ]) {
    test(`but not ${text}`, () => assert.equal(spokenErrorIn(text), undefined))
  }
})

describe('a finish reason', () => {
  for (const reason of [
    ...['error', 'ERROR_TOXIC', 'network_error', 'TIMEOUT', 'server_overloaded', 'failed', 'abort', 'aborted'],
    ...['exception', 'failure', 'insufficient_system_resource', 'interrupted', 'rate_limited', 'rate_limit_exceeded'],
  ]) {
    test(`${reason} is a failure`, () => assert.equal(isFailure(reason), true))
  }
  for (const reason of ['stop', 'length', 'no_error', 'tool_error', 'cancelled', 'errors', 'timeouts', '']) {
    test(`${JSON.stringify(reason)} is none`, () => assert.equal(isFailure(reason), false))
  }
})
