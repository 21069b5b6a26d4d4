import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  compileForwardHeaders,
  defaultForwardHeaders,
  forwardedHeaders,
  forwardedQuery,
  isCredentialHeader,
} from '../../lib/request/headers.js'

const CREDENTIALS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'openai-organization', 'openai-project']
const NEVER = [
  'cookie',
  'cookie2',
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
  'content-length',
  'accept-encoding',
]

describe('by default', () => {
  for (const holdsCredentials of [true, false]) {
    const forwards = compileForwardHeaders(undefined, holdsCredentials)
    const when = holdsCredentials ? 'with credentials of ours' : 'without'

    test(`the short list goes on (${when})`, () => {
      for (const name of [
        'accept',
        'content-type',
        'user-agent',
        'anthropic-version',
        'anthropic-beta',
        'openai-beta',
        'x-request-id',
        'idempotency-key',
        'traceparent',
        'tracestate',
        'x-stainless-lang',
        'x-stainless-retry-count',
      ]) {
        assert.equal(forwards(name), true, name)
      }
    })

    test(`nothing else does (${when})`, () => {
      for (const name of [
        ...NEVER,
        'origin',
        'referer',
        'x-forwarded-for',
        'x-stainles',
        'x-real-ip',
        'x-csrf-token',
        '',
      ]) {
        assert.equal(forwards(name), false, name)
      }
    })

    test(`the client’s own credentials ${holdsCredentials ? 'stay here' : 'go on'} (${when})`, () => {
      for (const name of CREDENTIALS) assert.equal(forwards(name), !holdsCredentials, name)
    })
  }

  test('no default header is a credential', () => {
    assert.deepEqual(defaultForwardHeaders.filter(isCredentialHeader), [])
  })
})

describe('a list', () => {
  test('replaces the default, in any case', () => {
    const forwards = compileForwardHeaders(['X-Mine', 'x-trace-*'], false)
    const asked = ['x-mine', 'x-trace-', 'x-trace-id', 'x-tracer', 'accept', 'authorization', 'x-mine2']
    assert.deepEqual(asked.filter(forwards), ['x-mine', 'x-trace-', 'x-trace-id'])
  })

  test('of no names lets nothing through', () => {
    const forwards = compileForwardHeaders([], false)
    assert.deepEqual(['accept', 'authorization', ...NEVER].filter(forwards), [])
  })

  test('may name the client’s credentials, where we hold none', () => {
    assert.equal(compileForwardHeaders(['authorization'], false)('authorization'), true)
  })

  test('a * lets neither cookies nor what is hop-by-hop through, nor credentials where we hold some', () => {
    assert.deepEqual([...NEVER, ...CREDENTIALS].filter(compileForwardHeaders(['*'], true)), [])
    assert.deepEqual([...NEVER, ...CREDENTIALS].filter(compileForwardHeaders(['*'], false)), CREDENTIALS)
    assert.equal(compileForwardHeaders(['*'], true)('x-anything'), true)
    assert.equal(compileForwardHeaders(['co*', 'a*'], true)('cookie'), false)
  })

  for (const name of NEVER) {
    test(`that names ${name} throws`, () => {
      const expected = {
        name: 'TypeError',
        message: new RegExp(`forwardHeaders takes .* never goes on; got '${name}'`),
      }
      assert.throws(() => compileForwardHeaders(['accept', name.toUpperCase()], false), expected)
    })
  }

  for (const name of CREDENTIALS) {
    test(`that names ${name} beside auth throws`, () => {
      assert.throws(() => compileForwardHeaders([name], true), {
        name: 'TypeError',
        message: /forwardHeaders .*`auth`/,
      })
    })
  }
})

describe('a function', () => {
  test('replaces the default', () => {
    const forwards = compileForwardHeaders((name) => name.startsWith('x-'), false)
    assert.deepEqual(['x-a', 'accept', 'x-api-key'].filter(forwards), ['x-a', 'x-api-key'])
  })

  test('is not asked about what never goes on', () => {
    const asked: string[] = []
    const forwards = compileForwardHeaders((name) => asked.push(name) > 0, true)
    assert.deepEqual([...NEVER, ...CREDENTIALS, 'x-a'].filter(forwards), ['x-a'])
    assert.deepEqual(asked, ['x-a'])
  })
})

describe('anything else throws', () => {
  for (const option of ['accept', 5, null, {}, true, ['a', 5]]) {
    test(JSON.stringify(option), () => {
      assert.throws(() => compileForwardHeaders(option as never, false), {
        name: 'TypeError',
        message: /forwardHeaders takes a list of header names, or a function/,
      })
    })
  }
})

describe('forwardedHeaders', () => {
  const everything = () => true

  test('picks what goes on', () => {
    const forwards = compileForwardHeaders(undefined, true)
    const client = {
      accept: '*/*',
      cookie: 'a=b',
      authorization: 'Bearer mine',
      'x-stainless-os': 'Linux',
      host: 'app',
    }
    assert.deepEqual(forwardedHeaders(client, forwards), { accept: '*/*', 'x-stainless-os': 'Linux' })
  })

  for (const connection of ['x-hop, close', 'close,X-Hop', 'X-HOP', 'keep-alive ,  x-hop ,x']) {
    test(`drops what \`connection: ${connection}\` names`, () => {
      const client = { connection, 'x-hop': '1', 'x-other': '2' }
      assert.deepEqual(
        forwardedHeaders(client, (name) => name !== 'connection'),
        { 'x-other': '2' },
      )
    })
  }

  test('keeps lists, drops what has no value', () => {
    assert.deepEqual(forwardedHeaders({ 'x-a': ['1', '2'] as never, 'x-b': undefined }, everything), {
      'x-a': ['1', '2'],
    })
  })
})

describe('forwardedQuery', () => {
  for (const [name, client, ours, holdsCredentials, expected] of [
    ['the client’s goes on as it is spelled', 'a=1&b=%2F&&c', [], false, 'a=1&b=%2F&&c'],
    ['with its own credentials, where we hold none', 'key=mine', [], false, 'key=mine'],
    ['none', '', [], true, ''],
    ['ours are added', 'a=1', [['key', 'k']], true, 'a=1&key=k'],
    ['ours alone', '', [['key', 'k']], true, 'key=k'],
    ['ours are encoded', '', [['a b', 'k&x=1#']], true, 'a%20b=k%26x%3D1%23'],
    ['ours replace the client’s', 'key=mine&a=1&key=again', [['key', 'k']], true, 'a=1&key=k'],
    ['in any case', 'KEY=mine', [['key', 'k']], true, 'key=k'],
    ['whatever they are called', 'sig=mine', [['Sig', 'k']], true, 'Sig=k'],
    ['encoded', '%6bey=mine&k%65y=mine', [['key', 'k']], true, 'key=k'],
    ['without a value', 'key&a', [['key', 'k']], true, 'a&key=k'],
    ['behind a second question mark', '?key=mine', [['key', 'k']], true, 'key=k'],
    [
      'credentials of the client’s under other names',
      'api_key=x&api-key=x&access_token=x&a=1',
      [['key', 'k']],
      true,
      'a=1&key=k',
    ],
    ['spelled together, or as Azure’s gateway has it', 'apikey=x&subscription-key=x&a=1', [], true, 'a=1'],
    ['also where ours are headers', 'key=mine&api-version=3&alt=sse', [], true, 'api-version=3&alt=sse'],
    ['the rest keeps its spelling and order', 'b=%20+&a', [['key', 'k']], true, 'b=%20+&a&key=k'],
  ] as [string, string, [string, string][], boolean, string][]) {
    test(name, () => assert.equal(forwardedQuery(client, ours, holdsCredentials), expected))
  }
})
