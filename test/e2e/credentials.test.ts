import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { NextFunction, Request, Response } from 'express'
import { AiProxyError, type AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

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
    'a credential in headers': { headers: { 'X-Api-Key': 'ours' } },
    "a gateway's key in headers": { headers: { 'Ocp-Apim-Subscription-Key': 'ours' } },
    'a signature set by a hook': {
      onRequest: ({ headers }) => {
        headers.authorization = 'AWS4-HMAC-SHA256 ours'
      },
    },
    'a filter that forwards everything': {
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

  test('are forwarded if the proxy has none, except cookies and proxy headers', async (t) => {
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

  test('are filtered like all headers: only those on the list are forwarded', async (t) => {
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

describe('an async forwardHeaders function', () => {
  for (const [what, filter] of [
    ['resolves', async (name: string) => name === 'x-allowed'],
    [
      'rejects',
      async () => {
        throw new Error('sk-secret')
      },
    ],
  ] as const) {
    test(`that ${what} fails the request, and forwards no header`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, forwardHeaders: filter as never })
      const warned: unknown[] = []
      const onWarning = (warning: { code?: string }) => warned.push(warning.code)
      process.on('warning', onWarning)
      t.after(() => process.off('warning', onWarning))
      const rejections: unknown[] = []
      const listen = (reason: unknown) => rejections.push(reason)
      process.on('unhandledRejection', listen)
      t.after(() => process.off('unhandledRejection', listen))
      const response = await post(app.url + openai.path, openai.request)
      assert.equal(response.status, 500)
      assert.equal(openai.errorIn(await response.json()).code, 'internal_error')
      await until(() => warned.includes('AI_PROXY_HOOK_THREW'), 'the warning')
      assert.equal((await app.record()).code, 'internal_error')
      assert.equal(provider.connections.length, 0)
      assert.deepEqual(rejections, [])
    })
  }
})

describe('a provider that quotes our key', () => {
  const key = 'sk-of-the-provider/4711'
  const auth = { headers: { authorization: `Bearer ${key}` }, query: { key: async () => 'AIza-of-the-provider' } }
  const quoted = `Incorrect API key provided: Bearer ${key}, key=AIza-of-the-provider`
  const spelled = new RegExp(
    `${key}|${encodeURIComponent(key)}|AIza-of|${Buffer.from(key).toString('base64').slice(0, -2)}`,
  )
  const error = JSON.stringify({ error: { message: quoted, code: Buffer.from(key).toString('base64') } })
  const escaped = quoted.replace(/[-/]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`)
  const answers: Record<string, (call: Call) => unknown> = {
    'in an error': (call) => call.json(401, JSON.parse(error)),
    'in an error, split within the key': async (call) => {
      call.res.writeHead(401, { 'content-type': 'application/json', 'content-length': String(error.length) })
      const at = error.indexOf(key) + 5
      await new Promise<unknown>((resolve) => call.res.write(error.slice(0, at), resolve))
      setImmediate(() => call.res.end(error.slice(at)))
    },
    'in an error, labelled as bytes': (call) =>
      call.res.writeHead(401, { 'content-type': 'application/octet-stream' }).end(error),
    'in an error, labelled as a vendor-specific type': (call) =>
      call.res.writeHead(400, { 'content-type': 'application/vnd.provider.error' }).end(error),
    'in JSON instead of a stream, labelled as bytes': (call) =>
      call.res.writeHead(200, { 'content-type': 'application/octet-stream' }).end(error),
    'in an error, escaped': (call) =>
      call.res.writeHead(401, json).end(`{"error":{"message":"${escaped}","code":"${escaped}"}}`),
    'in an error with status 200, escaped': (call) =>
      call.res.writeHead(200, json).end(`{"error":{"message":"${escaped}"}}`),
    'in an error labelled as a stream, escaped': (call) =>
      call.res.writeHead(200, { 'content-type': 'text/event-stream' }).end(`{"error":{"message":"${escaped}"}}`),
    'in a page': (call) => call.res.writeHead(502, { 'content-type': 'text/html' }).end(quoted),
    'in an answer': (call) => call.json(200, { next: `https://provider.test${call.url}` }),
    'in an answer without a type': (call) => call.res.writeHead(200).end(error),
    'in an error event': (call) => call.sse([`data: ${error}\n\n`]).end(),
    'in a header': (call) => call.json(200, {}, { 'x-request-id': key, 'openai-version': encodeURIComponent(key) }),
    'in its content type': (call) => call.sse([], { 'content-type': `text/event-stream; a=${key}` }).end('data: 1\n\n'),
    'in a redirect to the provider': (call) => call.res.writeHead(308, { location: call.url.replace('?', '/?') }).end(),
    'in a redirect to another host': (call) => call.res.writeHead(307, { location: `https://b.test${call.url}` }).end(),
    'in links': (call) => call.json(200, {}, { link: `<${call.url}>; rel="next"`, 'content-location': call.url }),
    'in headers of many kinds': (call) =>
      call.json(401, {}, { authorization: key, 'www-authenticate': key, 'x-echo': key }),
  }
  for (const beforeFirstByte of [false, true]) {
    for (const [where, onCall] of Object.entries(answers)) {
      test(`${where}${beforeFirstByte ? ', after heartbeats' : ''}: neither the client nor the record gets it`, async (t) => {
        const provider = await startProvider(t, { onCall })
        const app = await startApp(t, { target: provider.url, auth, heartbeat: { beforeFirstByte } })
        const client = (await connect(t, app.port)).post(`/ai${openai.path}?page=1`, openai.request)
        const record = await app.record()
        client.socket.end()
        assert.doesNotMatch(await client.end(), spelled)
        assert.doesNotMatch(JSON.stringify(record), spelled)
      })
    }
  }

  test('a redirect to the provider is rewritten to the route; one to another host is an error', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, auth })
    for (const [location, status] of [
      ['/v1/models/?key=AIza-of-the-provider', 307],
      ['https://elsewhere.test/v1/models', 502],
    ] as const) {
      const waiting = fetch(`${app.url}/v1/models`, { redirect: 'manual' })
      ;(await provider.next()).res.writeHead(307, { location }).end()
      const response = await waiting
      assert.equal(response.status, status)
      if (status === 307) assert.equal(response.headers.get('location'), '/ai/v1/models/')
      else assert.equal(openai.errorIn(await response.json()).code, 'upstream_redirected')
    }
  })

  test('a credential set by a hook is masked as well', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(401, { error: call.headers.authorization }) })
    const onRequest: AiProxyOptions['onRequest'] = ({ headers }) => {
      headers.authorization = `Bearer ${key}`
    }
    const app = await startApp(t, { target: provider.url, onRequest })
    assert.doesNotMatch(await (await post(app.url + openai.path, openai.request)).text(), spelled)
  })
})

describe("the provider's credentials", () => {
  test('rotate: the proxy calls a function, sync or async, for each request', async (t) => {
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
    'returns an empty string': () => '',
    'does not return a string': () => 5 as never,
    'returns a value with a line end': () => 'sk-secret\r\nx-injected: 1',
  }
  for (const [what, authorization] of Object.entries(broken)) {
    test(`a function that ${what}: 500, which does not quote the error`, async (t) => {
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

  test('an error that it threw is only available through revealCause(), and is not logged', () => {
    const secret = new Error('vault said sk-secret')
    const error = new AiProxyError('credentials_unavailable', 'not available', { privateCause: secret })
    assert.equal(error.revealCause(), secret)
    for (const shown of [inspect(error, { showHidden: true, depth: 9, getters: true }), JSON.stringify(error)]) {
      assert.ok(!shown.includes('sk-secret'), shown)
    }
    const enumerable: string[] = []
    for (const name in error) enumerable.push(name)
    assert.ok(!enumerable.some((name) => /cause/i.test(name)))
    assert.equal('cause' in error, false)
  })

  test("an error that it threw does not appear when Express logs ours, with errors: 'next'", async (t) => {
    const seen: unknown[] = []
    const app = await startApp(
      t,
      { target: 'http://127.0.0.1:9', errors: 'next', auth: { headers: { authorization: broken.throws! } } },
      {
        after: (app) => {
          app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
            seen.push(error)
            res.status(500).end()
          })
        },
      },
    )
    await (await post(app.url + openai.path, openai.request)).text()
    assert.ok(seen[0] instanceof AiProxyError)
    assert.match(String(seen[0].revealCause()), /sk-secret/)
    assert.ok(!inspect(seen[0]).includes('sk-secret'))
  })

  test("an error that it threw does not appear on Express's own error page", async (t) => {
    const app = await startApp(
      t,
      { target: 'http://127.0.0.1:9', errors: 'next', auth: { headers: { authorization: broken.throws! } } },
      { before: (app) => app.set('env', 'development') },
    )
    const text = await (await post(app.url + openai.path, openai.request)).text()
    assert.ok(!text.includes('sk-secret'))
  })

  test('a function that never settles is bounded by firstByteTimeoutMs', async (t) => {
    const provider = await startProvider(t)
    const authorization = () => new Promise<string>(() => {})
    const limits = { firstByteTimeoutMs: 30 }
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization } }, limits })
    const answer = post(app.url + openai.path, openai.request).catch(() => undefined)
    assert.equal((await app.record()).code, 'first_byte_timeout')
    assert.equal((await answer)?.status, 504)
  })

  test('never appear in bodies, headers, records or debug output', async () => {
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
