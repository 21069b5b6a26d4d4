import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import { AiProxyError } from '../../lib/api/errors.js'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { localLinks } from '../../lib/response/links.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { FakeResponse } from '../support/fake-response.js'
import { sendRequest } from '../support/sent-request.js'

interface Given extends Partial<AiProxyOptions> {
  status?: number
  baseUrl?: string
  path?: string
  secrets?: string[]
}

function links(headers: Record<string, string>, given: Given = {}) {
  const { status = 200, baseUrl = '/ai', path = '/v1/models', secrets = [], ...options } = given
  const req = { method: 'GET', url: path, baseUrl, protocol: 'https', headers: { host: 'app.test' } }
  const exchange = new Exchange(req as unknown as Request, new FakeResponse() as unknown as Response)
  sendRequest(exchange, { secrets: compileSecrets(secrets) })
  const config = resolveOptions({ target: 'https://api.example/base', auth: { query: { key: 'k' } }, ...options })
  return localLinks({ headers, statusCode: status } as unknown as IncomingMessage, exchange, config)
}

describe('a redirect', () => {
  const here: [location: string, expected: string, given?: Given][] = [
    ['/base/v1/models/', '/ai/v1/models/'],
    ['https://api.example/base/v1/models?page=2', '/ai/v1/models?page=2'],
    ['https://api.example:443/base/x#part', '/ai/x#part'],
    ['HTTPS://API.EXAMPLE/base/x', '/ai/x'],
    ['other', '/ai/v1/other'],
    ['?page=2', '/ai/v1/models?page=2'],
    ['/base', '/ai/'],
    ['/base/x', '/x', { baseUrl: '' }],
    ['/v1/x', '/team/ai/v1/x', { baseUrl: '/team/ai', target: 'https://api.example' }],
    ['/base/x', '/evil.example/ai/x', { baseUrl: '//evil.example/ai' }],
    ['/base/x', '/evil.example/ai/x', { baseUrl: '/\\evil.example/ai' }],
    ['/base/x?a=1&key=k&b=2&KEY=k&k%65y=k', '/ai/x?a=1&b=2'],
    ['/base/x?key=k', '/ai/x'],
    ['/base/x?a=%73%6b-ab%2fcd%31&b=2&c=http:%2f%2fx%3fk%3dsk-ab%252Fcd1', '/ai/x?b=2', { secrets: ['sk-ab/cd1'] }],
    ['https://app.test/base/x', '/ai/x', { proxy: { changeOrigin: false } }],
  ]
  for (const [location, expected, given] of here) {
    for (const status of [301, 302, 303, 307, 308]) {
      test(`${status} to ${location} is rewritten to: ${expected}`, () => {
        assert.deepEqual(links({ location }, { status, ...given }), { location: expected })
      })
    }
  }

  const elsewhere: [location: string, given?: Given][] = [
    ['https://other.example/base/v1/models'],
    ['http://api.example/base/v1/models'],
    ['https://api.example:8443/base/x'],
    ['https://api.example.evil/base/x'],
    ['https://api.example@evil.example/base/x'],
    ['//evil.example/base/x'],
    ['/\\evil.example/base/x'],
    ['/elsewhere/x'],
    ['/basement'],
    ['/base/../admin'],
    ['/base//evil.example/x', { baseUrl: '' }],
    ['/base/\\evil.example', { baseUrl: '' }],
    ['javascript:alert(1)'],
    ['data:text/html,x'],
    ['https://app.test/base/x'],
    ['http://['],
  ]
  for (const [location, given] of elsewhere) {
    test(`to ${location} is an error that does not quote it`, () => {
      assert.throws(
        () => links({ location }, { status: 307, ...given }),
        (error) => {
          assert.ok(error instanceof AiProxyError)
          assert.deepEqual([error.code, error.status, error.outcome], ['upstream_redirected', 502, 'upstream_error'])
          assert.ok(!error.message.includes(location))
          return true
        },
      )
    })
  }

  test('without a location passes unchanged', () => assert.equal(links({}, { status: 304 }), undefined))

  test('is only recognised by its status; other responses lose a `location` that points elsewhere', () => {
    assert.deepEqual(links({ location: '/base/v1/files/1' }, { status: 201 }), { location: '/ai/v1/files/1' })
    assert.deepEqual(links({ location: 'https://evil.example/' }, { status: 201 }), { location: undefined })
    assert.deepEqual(links({ location: 'https://evil.example/' }, { status: 304 }), { location: undefined })
  })
})

describe('other URLs', () => {
  test('content-location is rewritten or removed', () => {
    assert.deepEqual(links({ 'content-location': '/base/x?key=k' }), { 'content-location': '/ai/x' })
    assert.deepEqual(links({ 'content-location': 'https://other.example/x' }), { 'content-location': undefined })
  })

  test("Google's upload URL is rewritten, as an absolute URL", () => {
    const url = 'https://api.example/base/upload/files?key=k&upload_id=1'
    assert.deepEqual(links({ 'x-goog-upload-url': url }), {
      'x-goog-upload-url': 'https://app.test/ai/upload/files?upload_id=1',
    })
    assert.deepEqual(links({ 'x-goog-upload-url': 'https://other.example/x?key=k' }), {})
  })

  test('link: pagination is rewritten, instructions to browsers are removed', () => {
    for (const [link, expected] of [
      ['</base/x?key=k&page=2>; rel="next"', '</ai/x?page=2>; rel="next"'],
      [
        '</base/x?page=2>; rel=next, </base/x?page=1>; rel="prev"',
        '</ai/x?page=2>; rel="next", </ai/x?page=1>; rel="prev"',
      ],
      ['</evil.js>; rel=preload; as=script, </base/x>; rel=next', '</ai/x>; rel="next"'],
      ['</base/x>; title="page 2, <b>; of 3"; rel=next', '</ai/x>; rel="next"'],
      ['</base/x>; rel=NEXT; as=script, </base/y>; rel=next', '</ai/x>; rel="next"'],
      ['</base/evil.js>; rel=preload; rel=next', undefined],
      ['</base/evil.js>; rel=next; rel=preload', undefined],
      ['</base/evil.js>; rel="preload next"', undefined],
      ['</base/evil.js>; rel=preload; title="; rel=next"', undefined],
      ['</base/evil.js>; title="; rel=next"; rel=preload', undefined],
      ['</base/evil.js>; rel="modulepreload"', undefined],
      ['<https://other.example/x>; rel=next', undefined],
      ['<'.repeat(16_000), undefined],
    ] as const) {
      assert.deepEqual(links({ link }), { link: expected })
    }
  })

  test('a link header that would exceed what clients accept is shortened to fewer links', () => {
    const baseUrl = `/${'a'.repeat(50)}`
    assert.deepEqual(links({ link: '</base/x>;rel=next,'.repeat(700) }, { baseUrl }), {
      link: `<${baseUrl}/x>; rel="next"`,
    })
    const long = `/base/${'é'.repeat(1000)}`
    assert.deepEqual(links({ link: `<${long}>; rel=next, </base/x>; rel=prev` }), { link: '</ai/x>; rel="prev"' })
    assert.deepEqual(links({ location: long }, { status: 201 }), { location: undefined })
    const plain = `/base/${'x'.repeat(6000)}`
    assert.deepEqual(links({ location: plain }, { status: 307 }), { location: plain.replace('/base', '/ai') })
  })
})
