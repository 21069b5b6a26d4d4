import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

const json = { 'content-type': 'application/json' }
const clientSecrets: Record<string, string> = {
  cookie: 'session=of-the-client',
  authorization: 'Bearer of-the-client',
  'x-api-key': 'of-the-client',
  'api-key': 'of-the-client',
  'x-goog-api-key': 'of-the-client',
  'openai-organization': 'of-the-client',
  'openai-project': 'of-the-client',
  'proxy-authorization': 'Basic of-the-client',
}

describe("the client's credentials", () => {
  const setups: Record<string, Partial<AiProxyOptions>> = {
    'auth.headers': { auth: { headers: { authorization: 'Bearer ours' } } },
    'auth.query': { auth: { query: { key: 'ours' } } },
    'a credential among headers': { headers: { 'X-Api-Key': 'ours' } },
    'a key of a gateway among headers': { headers: { 'Ocp-Apim-Subscription-Key': 'ours' } },
    'a signature of a hook': {
      onRequest: ({ headers }) => {
        headers.authorization = 'AWS4-HMAC-SHA256 ours'
      },
    },
    'a filter that lets all through': {
      auth: { headers: { authorization: 'Bearer ours' } },
      forwardHeaders: () => true,
    },
  }
  const queries = [
    'key=of-the-client',
    'a=1&key=of-the-client&b=2',
    'KEY=of-the-client',
    'k%65y=of-the-client',
    'key=1&key=of-the-client',
    'api_key=of-the-client&api-key=of-the-client&access_token=of-the-client',
    '?key=of-the-client',
    '&&key=of-the-client&',
  ]
  for (const [what, options] of Object.entries(setups)) {
    test(`never reach the provider with ${what}`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(t, { target: provider.url, ...options })
      const client = await connect(t, app.port)
      for (const query of queries) {
        client.request('POST', `/ai${openai.path}?${query}`, { ...json, ...clientSecrets }, '{"model":"m"}')
        const call = await provider.next()
        assert.doesNotMatch(call.req.rawHeaders.join('\n') + call.url, /of-the-client/)
        assert.match(call.req.rawHeaders.join('\n') + call.url, /ours/)
        if (query.includes('a=1')) assert.match(call.url, /[?&]a=1&b=2/)
        await app.record()
      }
    })
  }

  test('go on where there are none of ours, all but cookies and what is for proxies', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    client.request('POST', `/ai${openai.path}?key=mine`, { ...json, ...clientSecrets }, '{}')
    const { headers, url } = await provider.next()
    for (const name of ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key', 'openai-organization']) {
      assert.equal(headers[name], clientSecrets[name])
    }
    assert.equal(headers.cookie, undefined)
    assert.equal(headers['proxy-authorization'], undefined)
    assert.match(url, /\?key=mine$/)
  })

  test('only headers on the list go on', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    const client = await connect(t, app.port)
    const sent = {
      'x-internal-user': 'root',
      'x-forwarded-for': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      origin: 'http://a',
    }
    const listed = { 'anthropic-beta': 'b', 'x-stainless-lang': 'js', 'idempotency-key': 'i', traceparent: '00-1-2-01' }
    client.request('POST', `/ai${openai.path}`, { ...json, ...sent, ...listed }, '{}')
    const { headers } = await provider.next()
    for (const name of Object.keys(sent)) assert.equal(headers[name], undefined, name)
    for (const [name, value] of Object.entries(listed)) assert.equal(headers[name], value)
  })
})

describe('a forwardHeaders function that is async', () => {
  for (const [what, filter] of [
    ['resolves', async (name: string) => name === 'x-allowed'],
    [
      'rejects',
      async () => {
        throw new Error('sk-secret')
      },
    ],
  ] as const) {
    test(`and ${what} fails the request, and lets no header through`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, forwardHeaders: filter as never })
      const warned = once(process, 'warning')
      const rejections: unknown[] = []
      const listen = (reason: unknown) => rejections.push(reason)
      process.on('unhandledRejection', listen)
      t.after(() => process.off('unhandledRejection', listen))
      const response = await post(app.url + openai.path, openai.request)
      assert.equal(response.status, 500)
      assert.equal(openai.errorIn(await response.json()).code, 'internal_error')
      const [warning] = (await warned) as [{ code?: string; message: string }]
      assert.equal(warning.code, 'AI_PROXY_ASYNC_FORWARD_HEADERS')
      assert.equal((await app.record()).code, 'internal_error')
      assert.equal(provider.connections.length, 0)
      assert.deepEqual(rejections, [])
    })
  }
})

describe("the provider's credentials", () => {
  test('rotate: a function, sync or async, is asked for each request', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    let count = 0
    const app = await startApp(t, {
      target: provider.url,
      auth: {
        headers: { authorization: () => `Bearer ${++count}`, 'x-static': 'as it is' },
        query: { key: async () => `k&=${count}` },
      },
    })
    for (const number of [1, 2]) {
      await (await post(app.url + openai.path, { model: 'm' })).text()
      const call = await provider.next()
      assert.equal(call.headers.authorization, `Bearer ${number}`)
      assert.equal(call.headers['x-static'], 'as it is')
      assert.equal(new URL(call.url, 'http://p').searchParams.get('key'), `k&=${number}`)
    }
  })

  const broken: Record<string, () => string | Promise<string>> = {
    throws: () => {
      throw new Error('sk-secret')
    },
    rejects: () => Promise.reject(new Error('sk-secret')),
    'gives nothing': () => '',
    'gives no string': () => 5 as never,
    'gives a value with a line end': () => 'sk-secret\r\nx-injected: 1',
  }
  for (const [what, authorization] of Object.entries(broken)) {
    test(`a function that ${what}: 500, without a word of what it threw`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, auth: { headers: { authorization } } })
      const response = await post(app.url + openai.path, openai.request)
      assert.equal(response.status, 500)
      const text = await response.text()
      assert.ok(!text.includes('sk-secret'))
      openai.errorIn(JSON.parse(text))
      const record = await app.record()
      assert.equal(record.outcome, 'rejected')
      assert.ok(!JSON.stringify(record).includes('sk-secret'))
      assert.equal(provider.connections.length, 0)
    })
  }

  test("nor does Express's own error page tell it", async (t) => {
    const app = await startApp(
      t,
      { target: 'http://127.0.0.1:9', errors: 'next', auth: { headers: { authorization: broken.throws! } } },
      { before: (app) => app.set('env', 'development') },
    )
    const text = await (await post(app.url + openai.path, openai.request)).text()
    assert.ok(!text.includes('sk-secret'))
  })

  test('a function that never answers is bounded by firstByteTimeoutMs', async (t) => {
    const provider = await startProvider(t)
    const authorization = () => new Promise<string>(() => {})
    const limits = { firstByteTimeoutMs: 30 }
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization } }, limits })
    const answer = post(app.url + openai.path, openai.request).catch(() => undefined)
    assert.equal((await app.record()).code, 'first_byte_timeout')
    assert.equal((await answer)?.status, 504)
  })

  test('never show in bodies, headers, records or debug output', async () => {
    const script = require.resolve('./support/noisy-app.ts')
    const [ours, theirs] = ['sk-of-the-provider-4711', 'sk-of-the-client-0815']
    const child = spawn(process.execPath, ['--import', 'tsx', script, ours, theirs], {
      env: { ...process.env, DEBUG: 'ai-proxy:*', NODE_TEST_CONTEXT: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => (err += text))
    const code = await new Promise((resolve) => child.on('close', resolve))
    assert.equal(code, 0, err)
    for (const namespace of ['request', 'upstream', 'stream', 'limit'])
      assert.match(err, new RegExp(`ai-proxy:${namespace} `))
    assert.match(out, /idle_timeout/)
    assert.match(out, /upstream_unreachable/)
    assert.match(out, /credentials_unavailable/)
    for (const secret of [ours, theirs]) {
      assert.ok(!out.includes(secret), 'in an answer or a record')
      assert.ok(!err.includes(secret), 'in what debug prints')
    }
  })
})
