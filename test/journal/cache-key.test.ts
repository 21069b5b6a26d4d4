import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cacheKey } from '../../lib/journal/cache-key.js'

const keyOf = (json: string, headers: Record<string, string> = {}) =>
  cacheKey({
    scope: 's',
    targets: ['t'],
    path: '/p',
    query: [],
    headers,
    ignoredHeaders: ['acme-sdk-*', 'acme-os'],
    body: JSON.parse(json) as unknown,
    ignoredFields: ['who'],
    stream: true,
  })

describe('the key of an answer', () => {
  test('depends on no order of fields, but on the order of lists', () => {
    assert.equal(keyOf('{"a":1,"b":{"c":2,"d":3}}'), keyOf('{"b":{"d":3,"c":2},"a":1}'))
    assert.notEqual(keyOf('{"a":[1,2]}'), keyOf('{"a":[2,1]}'))
  })

  test('does not depend on fields that say who asks, if they are at the top', () => {
    assert.equal(keyOf('{"a":1,"who":1}'), keyOf('{"a":1}'))
    assert.notEqual(keyOf('{"a":{"who":1}}'), keyOf('{"a":{}}'))
  })

  test('does not depend on headers of SDKs, of the calling app, and those that the format names', () => {
    const sdk = { 'x-stainless-lang': 'js', 'x-title': 'App', 'http-referer': 'https://app.example', 'user-agent': 'x' }
    assert.equal(keyOf('{}', { ...sdk, 'acme-sdk-version': '1', 'acme-os': 'x' }), keyOf('{}'))
    for (const name of ['acme-sdk', 'acme-os-2', 'anthropic-beta', 'x-stainless']) {
      assert.notEqual(keyOf('{}', { [name]: 'a' }), keyOf('{}'), name)
    }
  })

  for (const number of ['9007199254740992', '-9007199254740993', '1e400', '123456789012345678901234567890']) {
    test(`is refused to the number ${number}, which JavaScript does not tell from its neighbours`, () => {
      assert.throws(() => keyOf(`{"a":[{"seed":${number}}]}`), RangeError)
    })
  }

  test('takes the largest exact numbers and fractions', () => {
    assert.notEqual(keyOf('{"a":9007199254740991}'), keyOf('{"a":9007199254740990}'))
    assert.notEqual(keyOf('{"a":0.1}'), keyOf('{"a":0.2}'))
  })
})
