import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import { Exchange } from '../../lib/exchange/exchange.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { type BodyKind, kindByFirstBytes, mayHaveBody, responsePlan } from '../../lib/response/response-plan.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { FakeResponse } from '../support/fake-response.js'
import { sendRequest } from '../support/sent-request.js'

const config = resolveOptions({ target: 'https://provider.example' })
const GEMINI = '/v1beta/models/gemini-3:streamGenerateContent'

interface Given {
  status?: number
  method?: string
  path?: string
  asksForStream?: boolean
  isAnsweredInJson?: boolean
  secrets?: string[]
  readsErrors?: boolean
  res?: FakeResponse
}

function exchangeOf(given: Given): Exchange {
  const { method = 'POST', path = '/v1/chat/completions', asksForStream = true, res = new FakeResponse() } = given
  const exchange = new Exchange({ method, url: path } as Request, res as unknown as Response)
  exchange.describe(undefined, asksForStream)
  exchange.isAnsweredInJson = given.isAnsweredInJson ?? false
  sendRequest(exchange, { secrets: compileSecrets(given.secrets ?? []) })
  return exchange
}

/** How an answer with these headers is passed on. */
function opening(headers: Record<string, string>, given: Given = {}) {
  const { status = 200, readsErrors = false } = given
  const exchange = exchangeOf(given)
  exchange.recordProviderHead(status, headers['x-request-id'])
  const plan = responsePlan(
    { statusCode: status, headers } as unknown as IncomingMessage,
    exchange,
    config,
    readsErrors,
  )
  return { ...plan, id: exchange.id }
}

const named = (kind: BodyKind | undefined): string => kind?.framing?.name ?? (kind?.isJson ? 'json' : 'as it is')

/** What is done with the body of an answer, by its head. */
function kind(headers: Record<string, string>, given: Given = {}): string {
  const { kind } = opening(headers, given)
  return kind ? named(kind) : 'by its first bytes'
}

test('secrets are masked in headers with one value or several', () => {
  const headers = { 'x-request-id': 'for t0ken-12345', 'server-timing': ['a;desc="t0ken-12345"', 'b'] }
  const plan = opening(headers as unknown as Record<string, string>, { secrets: ['t0ken-12345'] })
  assert.equal(plan.headers['x-upstream-request-id'], 'for ***********')
  assert.deepEqual(plan.headers['server-timing'], ['a;desc="***********"', 'b'])
})

describe('the handling of a body', () => {
  const asked = 'by its first bytes'
  const table: [type: string, ofAStream: string, ofAnother: string][] = [
    ['text/event-stream', 'sse', 'sse'],
    ['text/event-stream; charset=utf-8', 'sse', 'sse'],
    ['application/json, text/event-stream', 'sse', 'sse'],
    ['text/event-stream, text/event-stream', 'sse', 'sse'],
    ['text/plain; a=b , Text/Event-Stream;charset=utf-8', 'sse', 'sse'],
    ['application/x-ndjson', asked, 'ndjson'],
    ['application/jsonl', asked, 'ndjson'],
    ['application/vnd.amazon.eventstream', 'aws-event-stream', 'aws-event-stream'],
    ['application/json', asked, 'json'],
    ['Application/JSON; charset=utf-8', asked, 'json'],
    ['text/json', asked, 'json'],
    ['application/problem+json', asked, 'json'],
    ['application/vnd.provider.v2+json', asked, 'json'],
    ['application/json, application/json', asked, 'json'],
    ['text/plain; charset=utf-8', asked, asked],
    ['', asked, asked],
    [' ; charset=utf-8', asked, asked],
    ['text/html', asked, 'as it is'],
    ['application/octet-stream', asked, 'as it is'],
    ['audio/mpeg', 'as it is', 'as it is'],
    ['application/pdf', 'as it is', 'as it is'],
    ['application/vnd.provider.binary', 'as it is', 'as it is'],
  ]
  test('NDJSON stays NDJSON if the client reads it', () => {
    assert.equal(kind({ 'content-type': 'application/x-ndjson' }, { path: '/api/chat' }), 'ndjson')
  })

  test('depends on its first bytes if its label is that of a stream, and JSON is to be expected', () => {
    const given = { asksForStream: false, isAnsweredInJson: true }
    for (const type of ['text/event-stream; charset=utf-8', 'application/x-ndjson']) {
      assert.equal(kind({ 'content-type': type }, given), asked, type)
      assert.notEqual(kind({ 'content-type': type }, { ...given, status: 500 }), asked, type)
    }
    const binary = 'application/vnd.amazon.eventstream'
    assert.equal(kind({ 'content-type': binary }, given), 'aws-event-stream')
  })

  test('depends on its first bytes if its label is that of events, and the client reads something else', () => {
    for (const path of ['/api/chat', GEMINI])
      assert.equal(kind({ 'content-type': 'text/event-stream' }, { path }), asked)
    assert.equal(kind({ 'content-type': 'text/event-stream' }, { path: `${GEMINI}?alt=sse` }), 'sse')
  })

  for (const [type, ofAStream, ofAnother] of table) {
    test(`${type || 'no type'}: ${ofAStream} if a stream was requested, ${ofAnother} otherwise`, () => {
      assert.equal(kind({ 'content-type': type }), ofAStream)
      assert.equal(kind({ 'content-type': type }, { asksForStream: false }), ofAnother)
    })
  }

  test('depends on its first bytes if there is no header', () => assert.equal(kind({}), asked))

  for (const [what, given] of [
    ['an answer to HEAD', { method: 'HEAD' }],
    ['204', { status: 204 }],
    ['304', { status: 304 }],
    ['a 4xx of the provider’s', { status: 400 }],
    ['a 5xx of the provider’s', { status: 503 }],
  ] as const) {
    test(`${what} passes unchanged, whatever its type`, () => {
      for (const [type] of table) assert.equal(kind({ 'content-type': type }, given), 'as it is')
    })
  }

  test('an error is read if it must be reported in a stream that was opened early', () => {
    const given = { status: 429, readsErrors: true }
    assert.equal(kind({ 'content-type': 'application/json' }, given), 'json')
    assert.equal(kind({ 'content-type': 'text/event-stream' }, given), 'sse')
  })

  test('a compressed body is decoded and read; in an unknown encoding it passes unchanged', () => {
    const headers = { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }
    const { createDecoder } = opening(headers)
    assert.notEqual(createDecoder, undefined)
    assert.equal(kind(headers), 'sse')
    for (const encoding of ['zstd', 'gzip, br', 'gzip, gzip']) {
      assert.equal(kind({ ...headers, 'content-encoding': encoding }), 'as it is')
      assert.equal(opening({ ...headers, 'content-encoding': encoding }).createDecoder, undefined)
      assert.equal(opening({ ...headers, 'content-encoding': encoding }).headers['content-encoding'], encoding)
    }
  })

  for (const encoding of [
    ...['identity', 'Identity', 'none', 'null', 'utf-8', 'UTF8', 'ISO-8859-1', '', ' ', 'identity, identity'],
    ...['chunked', '8bit', 'binary', 'text/event-stream'],
  ]) {
    test(`the encoding ${JSON.stringify(encoding)} means none: the body is read, and the header is removed`, () => {
      const headers = { 'content-type': 'text/event-stream', 'content-encoding': encoding }
      assert.equal(kind(headers), 'sse')
      assert.equal(opening(headers).createDecoder, undefined)
      assert.equal('content-encoding' in opening(headers).headers, false)
    })
  }

  test('a real encoding listed after identity is decoded', () => {
    const { createDecoder, headers } = opening({
      'content-type': 'text/event-stream',
      'content-encoding': 'identity, gzip',
    })
    assert.notEqual(createDecoder, undefined)
    assert.equal('content-encoding' in headers, false)
  })
})

test('digests are forwarded only with bodies that pass byte for byte', () => {
  const digests = { 'content-digest': 'a', 'repr-digest': 'a', digest: 'a', 'content-md5': 'a' }
  const passing = (type: string, given: Given) => {
    const { 'x-request-id': _, ...headers } = opening({ ...digests, 'content-type': type }, given).headers
    return headers
  }
  const audio = { 'content-type': 'audio/mpeg' }
  const json = { 'content-type': 'application/json' }
  assert.deepEqual(passing('text/event-stream', {}), { 'content-type': 'text/event-stream' })
  assert.deepEqual(passing('application/json', { secrets: ['sk-12345'], asksForStream: false }), json)
  assert.deepEqual(passing('application/json', { asksForStream: false }), { ...digests, ...json })
  assert.deepEqual(passing('audio/mpeg', { secrets: ['sk-12345'], asksForStream: false }), { ...digests, ...audio })
})

test('a part of JSON is not read as JSON, unless it is the answer to a model’s request', () => {
  const json = { 'content-type': 'application/json' }
  const path = '/v1/batches/b/output'
  const part = { status: 206, method: 'GET', path, asksForStream: false }
  assert.equal(kind(json, part), 'as it is')
  assert.equal(kind(json, { ...part, status: 200 }), 'json')
  assert.equal(kind(json, { ...part, method: 'POST' }), 'json')
  assert.equal(kind({ 'content-type': 'text/event-stream' }, { ...part, asksForStream: true }), 'sse')
})

describe('a body may quote what it was sent', () => {
  const mayQuote = (type: string, given: Given) => opening({ 'content-type': type }, given).isText
  const binary = ['audio/mpeg', 'image/png', 'multipart/mixed; boundary=x', 'application/vnd.provider.binary']

  test('if it is an error, whatever its label', () => {
    for (const type of [...binary, 'application/octet-stream', 'image/svg+xml', 'text/plain']) {
      assert.equal(mayQuote(type, { status: 401 }), true, type)
    }
  })

  test('if its type is text', () => {
    for (const type of ['image/svg+xml', 'text/html', 'application/json', ''])
      assert.equal(mayQuote(type, {}), true, type)
    for (const type of binary) assert.equal(mayQuote(type, {}), false, type)
  })

  test('if it is of type application/octet-stream and a stream was requested', () => {
    assert.equal(mayQuote('application/octet-stream', {}), true)
    assert.equal(mayQuote('application/octet-stream', { asksForStream: false }), false)
  })

  test('but not if its encoding is unknown or there is no body', () => {
    assert.equal(opening({ 'content-encoding': 'zstd' }, { status: 401 }).isText, false)
    assert.equal(mayQuote('text/plain', { status: 401, method: 'HEAD' }), false)
  })
})

describe('the first bytes of a body', () => {
  const bytes = (text: string, given: Given = {}, isAll = true) => {
    const kind = kindByFirstBytes(Buffer.from(text), isAll, exchangeOf(given))
    return kind && named(kind)
  }
  const table: [start: string, given: Given, kind: string][] = [
    ['data: {}\n\n', {}, 'sse'],
    ['event: error\n', {}, 'sse'],
    ['id: 1\n', {}, 'sse'],
    ['retry: 5\n', {}, 'sse'],
    [': OPENROUTER PROCESSING\n\n', {}, 'sse'],
    ['\uFEFFdata:1\r\r', {}, 'sse'],
    ['\r\n\n\r\ndata: 1', {}, 'sse'],
    ['data: {}', { asksForStream: false }, 'as it is'],
    ['{"id":1}', {}, 'json'],
    [' \n\t{"id":1}', {}, 'json'],
    ['{"id":1}', { asksForStream: false }, 'json'],
    ['{"done":false}\n', { path: '/api/chat' }, 'ndjson'],
    ['{\n  "error": "no such model"\n}', { path: '/api/generate' }, 'json'],
    ['{"done":true}', { path: '/api/chat', asksForStream: false }, 'json'],
    ['[{"candidates":[]}', { path: GEMINI }, 'json-array'],
    ['[{"candidates":[]}', {}, 'json'],
    ['<html>', {}, 'as it is'],
    ['database error', {}, 'as it is'],
    ['data', {}, 'as it is'],
    ['\uFEFF', {}, 'as it is'],
    ['', {}, 'as it is'],
  ]
  for (const [start, given, expected] of table) {
    test(`${JSON.stringify(start)}${given.path ? ` to ${given.path}` : ''}: ${expected}`, () => {
      assert.equal(bytes(start, given), expected)
    })

    test(`${JSON.stringify(start)}, byte by byte: the same, once it can be decided`, () => {
      const all = Buffer.from(start)
      let told: string | undefined
      for (let end = 0; end <= all.length && told === undefined; end++) {
        const kind = kindByFirstBytes(all.subarray(0, end), false, exchangeOf(given))
        told = kind && named(kind)
      }
      assert.equal(told ?? bytes(start, given), expected)
    })
  }

  test('are NDJSON as the head says, unless they are events, or JSON over several lines', () => {
    for (const [start, kind] of [
      ['data: {}\n\n', 'sse'],
      [': ping\n\n', 'sse'],
      ['{"done":false}\n', 'ndjson'],
      ['{\n', 'json'],
      ['[1]\n', 'ndjson'],
      ['x', 'ndjson'],
      ['', 'ndjson'],
    ] as const) {
      assert.equal(named(kindByFirstBytes(Buffer.from(start), true, exchangeOf({}), 'application/jsonl')), kind, start)
    }
  })

  test('are events as the head says, unless they are JSON', () => {
    const unasked = { asksForStream: false }
    const table: [start: string, given: Given, kind: string][] = [
      ['data: {}\n\n', unasked, 'sse'],
      ['x', unasked, 'sse'],
      ['', unasked, 'sse'],
      ['{"id":1}', unasked, 'json'],
      ['{\n', unasked, 'json'],
      ['[1]', unasked, 'json'],
      ['{"done":true}', { path: '/api/chat', ...unasked }, 'json'],
      ['data: {}\n\n', { path: '/api/chat' }, 'sse'],
      ['{"done":false}\n', { path: '/api/chat' }, 'ndjson'],
      ['[{', { path: GEMINI }, 'json-array'],
    ]
    for (const [start, given, kind] of table) {
      const told = kindByFirstBytes(Buffer.from(start), true, exchangeOf(given), 'text/event-stream')
      assert.equal(named(told), kind, start)
    }
  })

  test('decide as soon as they can', () => {
    for (const start of ['da', 'retry', '', '\n', '\uFEFF', '{'])
      assert.equal(bytes(start, {}, false), undefined, start)
    for (const start of [':', 'data:', '{"', '[', 'x', 'dat '])
      assert.notEqual(bytes(start, {}, false), undefined, start)
  })

  test('may be blank, but not without bound', () => {
    assert.equal(bytes('\n'.repeat(4000), {}, false), undefined)
    assert.equal(bytes(`${'\n'.repeat(4000)}data: 1`, {}, false), 'sse')
    assert.equal(bytes('\n'.repeat(5000), {}, false), 'as it is')
    assert.equal(bytes(`{${' '.repeat(5000)}`, {}, false), 'json')
  })
})

describe('an array as a stream', () => {
  const json = { 'content-type': 'application/json; charset=UTF-8' }

  test("is Gemini's answer to a request for a stream", () => {
    assert.equal(kind(json, { path: GEMINI }), 'json-array')
  })

  test('is not an answer to a non-streaming request', () => {
    assert.equal(kind(json, { path: GEMINI, asksForStream: false }), 'json')
  })

  test('is not sent with alt=sse, whatever the content type', () => {
    assert.equal(kind(json, { path: `${GEMINI}?alt=sse` }), 'by its first bytes')
    assert.equal(kind({ 'content-type': 'text/event-stream' }, { path: GEMINI }), 'by its first bytes')
  })

  test('is not an error', () => assert.equal(kind(json, { path: GEMINI, status: 400 }), 'as it is'))

  test("is not any other provider's answer", () =>
    assert.equal(kind(json, { path: '/api/chat', asksForStream: false }), 'json'))
})

describe('further properties of a plan', () => {
  for (const [headers, expected] of [
    [{}, true],
    [{ 'content-length': '5' }, false],
    [{ 'transfer-encoding': 'chunked' }, false],
  ] as [Record<string, string>, boolean][]) {
    test(`the body ends with the connection: ${expected} for ${JSON.stringify(headers)}`, () => {
      assert.equal(opening(headers).isCloseDelimited, expected)
    })
  }

  test('status and headers are forwarded, `vary` merged with the app’s own', () => {
    const res = new FakeResponse()
    res.setHeader('vary', 'Origin')
    const { id, status, headers } = opening(
      { 'x-request-id': 'r', vary: 'Accept', connection: 'close' },
      { status: 201, res },
    )
    assert.equal(status, 201)
    assert.deepEqual({ ...headers }, { 'x-request-id': id, 'x-upstream-request-id': 'r', vary: 'Origin, Accept' })
  })

  for (const [method, status, expected] of [
    ['GET', 200, true],
    ['POST', 500, true],
    ['HEAD', 200, false],
    ['GET', 204, false],
    ['POST', 304, false],
  ] as const) {
    test(`${method} ${status} may have a body: ${expected}`, () => assert.equal(mayHaveBody(method, status), expected))
  }
})
