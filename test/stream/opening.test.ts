import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import { Exchange } from '../../lib/exchange.js'
import { NoFramer } from '../../lib/framing/index.js'
import { mayHaveBody, openingOf } from '../../lib/stream/opening.js'
import { FakeResponse } from '../support/fake-response.js'

const GEMINI = '/v1beta/models/gemini-3:streamGenerateContent'

interface Given {
  status?: number
  method?: string
  path?: string
  asksForStream?: boolean
  readsErrors?: boolean
  res?: FakeResponse
}

/** How an answer with these headers is passed on. */
function opening(headers: Record<string, string>, given: Given = {}) {
  const { status = 200, method = 'POST', path = '/v1/chat/completions', readsErrors = false } = given
  const { asksForStream = true, res = new FakeResponse() } = given
  const exchange = new Exchange({ method, url: path } as Request, res as unknown as Response)
  exchange.asksForStream = asksForStream
  const response = { statusCode: status, headers } as unknown as IncomingMessage
  return openingOf(response, exchange, 1000, readsErrors)
}

/** What is done with the body of an answer. */
function kind(headers: Record<string, string>, given: Given = {}): string {
  const { framing, framer, isJson } = opening(headers, given)
  assert.equal(framing === undefined, framer instanceof NoFramer)
  if (framing) assert.equal(isJson, false, 'a stream is not read as one answer')
  return framing?.name ?? (isJson ? 'json' : 'as it is')
}

describe('what is done with a body', () => {
  const table: [type: string, kind: string][] = [
    ['text/event-stream', 'sse'],
    ['text/event-stream; charset=utf-8', 'sse'],
    ['application/x-ndjson', 'ndjson'],
    ['application/jsonl', 'ndjson'],
    ['application/vnd.amazon.eventstream', 'aws-event-stream'],
    ['application/json', 'json'],
    ['Application/JSON; charset=utf-8', 'json'],
    ['application/problem+json', 'as it is'],
    ['text/html', 'as it is'],
    ['audio/mpeg', 'as it is'],
    ['', 'as it is'],
  ]
  for (const [type, expected] of table) {
    test(`${type || 'no type'}: ${expected}`, () => assert.equal(kind({ 'content-type': type }), expected))
  }

  test('no header at all: as it is', () => assert.equal(kind({}), 'as it is'))

  for (const [what, given] of [
    ['an answer to HEAD', { method: 'HEAD' }],
    ['204', { status: 204 }],
    ['304', { status: 304 }],
    ['an error of the provider’s', { status: 400 }],
    ['a failure of the provider’s', { status: 503 }],
  ] as const) {
    test(`${what} passes as it is, whatever its type`, () => {
      for (const [type] of table) assert.equal(kind({ 'content-type': type }, given), 'as it is')
    })
  }

  test('an error is read where it must be said in a stream that runs already', () => {
    const given = { status: 429, readsErrors: true }
    assert.equal(kind({ 'content-type': 'application/json' }, given), 'json')
    assert.equal(kind({ 'content-type': 'text/event-stream' }, given), 'sse')
  })

  test('a compressed body is decoded and read; in an unknown encoding it passes as it is', () => {
    const headers = { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }
    const { decoder } = opening(headers)
    assert.notEqual(decoder, undefined)
    decoder?.destroy()
    assert.equal(kind(headers), 'sse')
    assert.equal(kind({ ...headers, 'content-encoding': 'zstd' }), 'as it is')
    assert.equal(opening({ ...headers, 'content-encoding': 'zstd' }).decoder, undefined)
  })
})

describe('an array as a stream', () => {
  const json = { 'content-type': 'application/json; charset=UTF-8' }

  test('is what Gemini answers a request for a stream with', () => {
    assert.equal(kind(json, { path: GEMINI }), 'json-array')
  })

  test('not a request for no stream', () => {
    assert.equal(kind(json, { path: GEMINI, asksForStream: false }), 'json')
  })

  test('not where it comes as events after all (alt=sse)', () => {
    assert.equal(kind({ 'content-type': 'text/event-stream' }, { path: GEMINI }), 'sse')
  })

  test('not an error', () => assert.equal(kind(json, { path: GEMINI, status: 400 }), 'as it is'))

  test('not what any other provider answers', () => assert.equal(kind(json, { path: '/api/chat' }), 'json'))
})

describe('the rest of an opening', () => {
  test('maxEventBytes bounds its frames', () => {
    for (const type of ['text/event-stream', 'application/x-ndjson']) {
      const { framer } = opening({ 'content-type': type })
      framer.push([Buffer.alloc(1001, 'x')])
      assert.equal(framer.tooLarge, true)
    }
  })

  for (const [headers, expected] of [
    [{}, true],
    [{ 'content-length': '5' }, false],
    [{ 'transfer-encoding': 'chunked' }, false],
  ] as [Record<string, string>, boolean][]) {
    test(`the end of the connection is the end of the body: ${expected} for ${JSON.stringify(headers)}`, () => {
      assert.equal(opening(headers).isCloseDelimited, expected)
    })
  }

  test('status and headers go on, `vary` beside the app’s own', () => {
    const res = new FakeResponse()
    res.setHeader('vary', 'Origin')
    const { status, headers } = opening(
      { 'x-request-id': 'r', vary: 'Accept', connection: 'close' },
      { status: 201, res },
    )
    assert.equal(status, 201)
    assert.deepEqual({ ...headers }, { 'x-request-id': 'r', vary: 'Origin, Accept' })
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
