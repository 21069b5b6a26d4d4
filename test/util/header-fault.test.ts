import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { headerFault } from '../../lib/util/header-fault.js'

describe('a header set by the app’s code', () => {
  for (const [name, value] of [
    ['x-signature', 'abc'],
    ['X-Signature', ''],
    ['authorization', 'Bearer x'],
    ['traceparent', '00-1-2-01'],
  ] as const) {
    test(`may be sent to the provider: ${name}: ${value}`, () => assert.equal(headerFault(name, value), undefined))
  }

  for (const name of [
    'content-length',
    'Transfer-Encoding',
    'connection',
    'keep-alive',
    'upgrade',
    'expect',
    'te',
    'Host',
  ]) {
    test(`is reserved for HTTP: ${name}`, () =>
      assert.equal(headerFault(name, 'x'), `HTTP leaves ${name} to the proxy`))
  }

  for (const [name, value, says] of [
    ['x a', 'b', /x a/],
    ['', 'b', /header name/i],
    ['x-a', undefined, /x-a is not a string/],
    ['x-a', 5, /x-a is not a string/],
    ['x-a', ['b'], /x-a is not a string/],
    ['x-a', 'hunter2\r\nx-b: c', /x-a/],
    ['x-a', 'hunter2 漢', /x-a/],
  ] as const) {
    test(`cannot be sent, and its value is not shown: ${JSON.stringify(name)}: ${JSON.stringify(value)}`, () => {
      const fault = headerFault(name, value)
      assert.match(fault ?? '', says)
      assert.doesNotMatch(fault ?? '', /hunter2/)
    })
  }
})
