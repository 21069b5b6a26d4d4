import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Express } from 'express'
import helmet from 'helmet'
import { aiProxy } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'

const json = { 'content-type': 'application/json' }
const path = `/ai${openai.path}`

describe('a header named in `connection`', () => {
  const spaces = ' '.repeat(15_000)

  test('is not forwarded to the provider', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }) })
    const app = await startApp(t, { target: provider.url, forwardHeaders: ['x-*'] })
    const client = await connect(t, app.port)
    for (const connection of ['x-hop', 'keep-alive, X-Hop', 'keep-alive ,\tx-hop\t, x-other', ',,x-hop,']) {
      const headers = { ...json, connection, 'X-Hop': 'one', 'x-stays': 'two' }
      client.request('POST', path, headers, '{"model":"m"}')
      await client.sees('{"ok":1}')
      const call = await provider.next()
      assert.equal(call.headers['x-hop'], undefined)
      assert.equal(call.headers['x-stays'], 'two')
      assert.doesNotMatch(call.headers.connection ?? '', /x-/i)
    }
  })

  test('is not forwarded to the client', async (t) => {
    const headers = { connection: 'keep-alive, X-Hop', 'x-hop': 'one', 'x-trace-id': 'two' }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }, headers) })
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, { model: 'm' })
    const answer = await client.sees('{"ok":1}')
    assert.doesNotMatch(answer, /x-hop/i)
    assert.match(answer, /\r\nx-trace-id: two\r\n/i)
  })

  test('with thousands of spaces, from the client: the request is answered', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }) })
    const app = await startApp(t, { target: provider.url, forwardHeaders: ['x-*'] })
    const client = await connect(t, app.port)
    const headers = { ...json, connection: `close, a${spaces}b, x-hop`, 'x-hop': 'one', 'x-stays': 'two' }
    client.request('POST', path, headers, '{"model":"m"}')
    assert.match(await client.end(), /^HTTP\/1\.1 200 [\s\S]*\{"ok":1\}$/)
    const call = await provider.next()
    assert.deepEqual([call.headers['x-hop'], call.headers['x-stays']], [undefined, 'two'])
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('with thousands of spaces, from the provider: the answer passes', async (t) => {
    const headers = { connection: `close, a${spaces}b, x-hop`, 'x-hop': 'one', 'x-trace-id': 'two' }
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }, headers) })
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(path, { model: 'm' })
    const answer = await client.sees('{"ok":1}')
    assert.match(answer, /^HTTP\/1\.1 200 /)
    assert.doesNotMatch(answer, /x-hop/i)
    assert.match(answer, /\r\nx-trace-id: two\r\n/i)
  })
})

describe("headers that act on the provider's origin", () => {
  const theirs: Record<string, string | string[]> = {
    'x-accel-redirect': '/internal/of-the-provider',
    'x-accel-expires': '9',
    'x-accel-buffering': 'yes',
    'x-sendfile': '/of-the-provider',
    'www-authenticate': 'Basic realm="of-the-provider"',
    refresh: '0; url=http://of-the-provider',
    'content-security-policy': 'default-src of-the-provider',
    'content-security-policy-report-only': 'default-src of-the-provider',
    'x-frame-options': 'of-the-provider',
    'cross-origin-opener-policy': 'of-the-provider',
    'cross-origin-resource-policy': 'of-the-provider',
    'cross-origin-embedder-policy': 'of-the-provider',
    'referrer-policy': 'of-the-provider',
    'permissions-policy': 'of-the-provider',
    'set-cookie': ['a=of-the-provider', 'b=of-the-provider'],
    'x-trace-id': 'yes',
  }
  const answers: Record<string, { status: number; act: (call: Call) => unknown }> = {
    'a JSON answer': { status: 200, act: (call) => call.json(200, {}, theirs) },
    'a stream': { status: 200, act: (call) => call.sse(['data: 1\n\n'], theirs).end() },
    'a 401': { status: 401, act: (call) => call.json(401, { error: {} }, theirs) },
  }
  for (const [what, { status, act }] of Object.entries(answers)) {
    test(`do not reach the client, with ${what}`, async (t) => {
      const provider = await startProvider(t, { onCall: act })
      const app = await startApp(t, { target: provider.url })
      const response = await post(app.url + openai.path, openai.request)
      await response.text()
      assert.equal(response.status, status)
      assert.equal(response.headers.get('x-trace-id'), 'yes')
      for (const name of Object.keys(theirs)) {
        const expected = { 'x-trace-id': 'yes', 'x-accel-buffering': what === 'a stream' ? 'no' : null }[name] ?? null
        assert.equal(response.headers.get(name), expected, name)
      }
    })

    test(`do not replace helmet()'s, with ${what}`, async (t) => {
      const provider = await startProvider(t, { onCall: act })
      const before = (app: Express) => {
        app.use(helmet())
        app.get('/plain', (_req, res) => void res.end())
      }
      const app = await startApp(t, { target: provider.url }, { before })
      const plain = await fetch(new URL('/plain', app.url))
      const response = await post(app.url + openai.path, openai.request)
      await response.text()
      assert.equal(response.status, status)
      assert.equal(response.headers.get('x-trace-id'), 'yes')
      const ours = [...plain.headers.keys()].filter((name) => name in theirs)
      for (const name of ['content-security-policy', 'x-frame-options', 'referrer-policy']) {
        assert.ok(ours.includes(name), `helmet() sets ${name}`)
      }
      for (const name of ours) assert.equal(response.headers.get(name), plain.headers.get(name), name)
      assert.doesNotMatch(JSON.stringify([...response.headers]), /of-the-provider/)
    })
  }
})

describe('the middleware throws on creation for', () => {
  const target = 'https://provider.test'

  for (const name of ['content-length', 'Transfer-Encoding', 'connection', 'Expect']) {
    test(`${name} in headers`, () => {
      const named = new RegExp(`\\bheaders\\.${name}\\b`, 'i')
      assert.throws(() => aiProxy({ target, headers: { [name]: '1' } }), named)
      const inAuth = new RegExp(`\\bauth\\.headers\\.${name}\\b`, 'i')
      assert.throws(() => aiProxy({ target, auth: { headers: { [name]: '1' } } }), inAuth)
      assert.throws(() => aiProxy({ target, auth: { headers: { [name]: () => '1' } } }), inAuth)
    })
  }

  for (const value of ['Bearer undefined', 'undefined', 'Basic undefined', '']) {
    test(`a credential from an unset environment variable: ${JSON.stringify(value)}`, () => {
      const asks = (option: string) => (error: Error) => {
        assert.ok(error instanceof TypeError)
        assert.ok(error.message.includes(option), error.message)
        assert.match(error.message, /environment variable/)
        return true
      }
      const headers = { Authorization: value }
      assert.throws(() => aiProxy({ target, auth: { headers } }), asks('auth.headers.authorization'))
      assert.throws(() => aiProxy({ target, auth: { query: { key: value } } }), asks('auth.query.key'))
    })
  }

  test('no credential that only resembles one from an unset variable', () => {
    for (const authorization of ['Bearer undefined-behaviour', 'Bearer sk-undefined']) {
      aiProxy({ target, auth: { headers: { authorization } } })
    }
  })
})
