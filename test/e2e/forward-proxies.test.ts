import assert from 'node:assert/strict'
import http, { type Agent, type AgentOptions } from 'node:http'
import type https from 'node:https'
import { describe, test } from 'node:test'
import { type AiProxyOptions, aiProxy } from '../../lib/index.js'
import { freePort } from '../support/free-port.js'
import { type App, startApp } from './support/app.js'
import { cert } from './support/certificate.js'
import { connect, Events, post } from './support/client.js'
import { type ForwardProxy, startForwardProxy, startSocksProxy } from './support/forward-proxy.js'
import { openai } from './support/protocols.js'
import { type Owner, type Provider, startProvider } from './support/provider.js'

type ProxyAgent = new (proxy: string, options?: AgentOptions) => Agent
const { HttpsProxyAgent } = require('https-proxy-agent') as { HttpsProxyAgent: ProxyAgent }
const { SocksProxyAgent } = require('socks-proxy-agent') as { SocksProxyAgent: ProxyAgent }
const packaged = require('proxy-agent') as {
  ProxyAgent: new (options: AgentOptions & { getProxyForUrl(): string }) => Agent
}

const VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()])

/** The environment that a middleware is created in. */
function withEnvironment<T>(environment: Record<string, string>, make: () => T): T {
  const before = { ...process.env }
  for (const name of VARIABLES) delete process.env[name]
  Object.assign(process.env, environment)
  try {
    return make()
  } finally {
    for (const name of VARIABLES) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  }
}

/** A certificate authority of the company's, which these agents take in their options alone. */
function trusting(agent: Agent): Agent {
  Object.assign((agent as https.Agent).options, { ca: cert })
  return agent
}

/** Each way to a provider through a proxy. */
const ways: [
  name: string,
  start: (t: Owner) => Promise<ForwardProxy>,
  via: (url: string) => AiProxyOptions['proxy'],
][] = [
  ['https-proxy-agent', startForwardProxy, (url) => ({ agent: trusting(new HttpsProxyAgent(url)) })],
  ['socks-proxy-agent', startSocksProxy, (url) => ({ agent: trusting(new SocksProxyAgent(url)) })],
  [
    'proxy-agent',
    startForwardProxy,
    (url) => ({ agent: trusting(new packaged.ProxyAgent({ keepAlive: true, getProxyForUrl: () => url })) }),
  ],
  ['the environment', startForwardProxy, () => ({ fromEnv: true, ssl: { ca: cert } })],
  ['the environment, SOCKS', startSocksProxy, () => ({ fromEnv: true, ssl: { ca: cert } })],
]

for (const [name, start, via] of ways) {
  describe(`through a proxy, by ${name}`, () => {
    const set = async (t: Owner, tls = true) => {
      const provider = await startProvider(t, { tls })
      const proxy = await start(t)
      const environment: Record<string, string> = tls ? { HTTPS_PROXY: proxy.url } : { http_proxy: proxy.url }
      const app = await withEnvironment(environment, () => startApp(t, { target: provider.url, proxy: via(proxy.url) }))
      return { provider, proxy, app }
    }

    for (const tls of [true, false]) {
      // Without TLS it writes no whole URL on a connection that it has kept.
      if (!tls && name === 'proxy-agent') continue
      const keeps = tls && (name.startsWith('the environment') || name === 'proxy-agent')
      test(`a stream arrives event by event, ${tls ? 'with' : 'without'} TLS${keeps ? ', on a kept-alive connection' : ''}`, async (t) => {
        const { provider, proxy, app } = await set(t, tls)
        for (const round of ['first', 'second']) {
          const answered = post(app.url + openai.path, openai.request)
          const call = (await provider.next()).sse([`data: ${round}\n\n`])
          const events = new Events(await answered)
          assert.equal(await events.next(), `data: ${round}\n\n`)
          call.end('data: [DONE]\n\n')
          assert.deepEqual(await events.rest(), ['data: [DONE]\n\n'])
          assert.equal((await app.record()).outcome, 'completed')
        }
        assert.match(proxy.asked[0]!, new RegExp(`127\\.0\\.0\\.1:${provider.port}`))
        assert.equal(proxy.connections.length, keeps ? 1 : 2)
      })
    }

    test('a client that leaves stops the provider', async (t) => {
      const { provider, app } = await set(t)
      for (const hasBegun of [false, true]) {
        const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
        const call = await provider.next()
        if (hasBegun) {
          call.sse(['data: 1\n\n'])
          await client.sees('data: 1\n\n')
        }
        client.leave()
        await call.gone
        assert.equal((await app.record()).outcome, 'client_disconnect')
      }
    })

    test('a kept-alive connection that has died does not fail the next request', async (t) => {
      const { provider, app } = await set(t)
      const first = post(app.url + openai.path, openai.request)
      ;(await provider.next()).sse().end('data: 1\n\n')
      await (await first).text()
      await app.record()
      // The end of the connection and the next request meet under way.
      provider.connections[0]!.destroy()
      const second = post(app.url + openai.path, openai.request)
      ;(await provider.next()).sse().end('data: 2\n\n')
      assert.equal(await (await second).text(), 'data: 2\n\n')
      assert.equal((await app.record()).outcome, 'completed')
    })

    test('an untrusted certificate is recorded as upstream_unreachable', async (t) => {
      const provider = await startProvider(t, { tls: true })
      const proxy = await start(t)
      const { ssl: _, ...options } = via(proxy.url) as { ssl?: unknown; agent?: Agent }
      Object.assign((options.agent as https.Agent | undefined)?.options ?? {}, { ca: undefined })
      const app = await withEnvironment({ https_proxy: proxy.url }, () =>
        startApp(t, { target: provider.url, proxy: options }),
      )
      assert.equal((await post(app.url + openai.path, openai.request)).status, 502)
      const { code, error } = await app.record()
      assert.equal(code, 'upstream_unreachable')
      assert.match(error ?? '', /self.signed/)
    })
  })
}

describe('without TLS, if the request to the proxy has the full URL', () => {
  const each: [name: string, via: (url: string) => AiProxyOptions['proxy']][] = [
    ['the environment', () => ({ fromEnv: true })],
    ['proxy-agent', (url) => ({ agent: new packaged.ProxyAgent({ getProxyForUrl: () => url }) })],
  ]
  for (const [name, via] of each) {
    const startVia = async (t: Owner, target: string, proxy: ForwardProxy, options: AiProxyOptions['proxy'] = {}) =>
      withEnvironment({ HTTP_PROXY: proxy.url.replace('//', '//user:pass@') }, () =>
        startApp(t, { target, proxy: { ...via(proxy.url), ...options } }),
      )

    test(`by ${name}, the URL has the target's host, whatever Host the client sends`, async (t) => {
      const proxy = await startForwardProxy(t, ['HTTP/1.1 403 Forbidden'])
      const app = await startVia(t, 'http://provider.example', proxy, { changeOrigin: false })
      for (const host of ['169.254.169.254', 'of-the-client.example:8080', 'a/b?c']) {
        const client = await connect(t, app.port)
        const headers = { host, 'content-type': 'application/json' }
        client.request('POST', `/ai${openai.path}`, headers, JSON.stringify(openai.request))
        await client.sees('HTTP/1.1 ')
        await app.record()
      }
      assert.deepEqual(new Set(proxy.asked), new Set([`POST http://provider.example${openai.path}`]))
    })

    test(`by ${name}, path and query are forwarded as the client spelled them`, async (t) => {
      const proxy = await startForwardProxy(t, ['HTTP/1.1 403 Forbidden'])
      const app = await startVia(t, 'http://provider.example/base', proxy)
      const client = await connect(t, app.port)
      const headers = { host: 'app.example', 'content-type': 'application/json' }
      client.request('POST', `/ai${openai.path}?x='a"&b=<1>`, headers, JSON.stringify(openai.request))
      await client.sees('HTTP/1.1 403')
      assert.deepEqual(proxy.asked, [`POST http://provider.example/base${openai.path}?x='a"&b=<1>`])
    })

    for (const [what, path, type, body] of [
      ['JSON', openai.path, 'application/json', JSON.stringify({ model: 'm', user: 'x'.repeat(600_000) })],
      ['an upload', '/v1/audio/transcriptions', 'multipart/form-data; boundary=x', 'x'.repeat(600_000)],
    ] as const) {
      test(`by ${name}, ${what} of many pieces arrives unchanged`, async (t) => {
        const provider = await startProvider(t)
        const proxy = await startForwardProxy(t)
        const app = await startVia(t, provider.url, proxy)
        const answered = fetch(app.url + path, { method: 'POST', headers: { 'content-type': type }, body })
        const call = await provider.next()
        assert.ok((await call.text) === body)
        call.json(200, {})
        assert.equal((await answered).status, 200)
      })
    }
  }
})

describe("a provider's own 407 passes as its answer", () => {
  const assertPasses = async (t: Owner, provider: Provider, app: App) => {
    // Not by `fetch`, which takes each 407 for that of a proxy.
    const client = (await connect(t, app.port)).post(`/ai${openai.path}`, openai.request)
    ;(await provider.next()).json(407, {})
    await client.sees('HTTP/1.1 407')
    const { outcome, providerStatus } = await app.record()
    assert.deepEqual({ outcome, providerStatus }, { outcome: 'provider_error', providerStatus: 407 })
  }

  for (const [name, proxy] of [
    ['without a proxy', {}],
    ["by an agent of Node's own", { agent: new http.Agent() }],
  ] as const) {
    test(name, async (t) => {
      const provider = await startProvider(t)
      await assertPasses(t, provider, await startApp(t, { target: provider.url, proxy }))
    })
  }

  test("through a proxy's tunnel", async (t) => {
    const provider = await startProvider(t, { tls: true })
    const { url } = await startForwardProxy(t)
    const app = await withEnvironment({ HTTPS_PROXY: url }, () =>
      startApp(t, { target: provider.url, proxy: { fromEnv: true, ssl: { ca: cert } } }),
    )
    await assertPasses(t, provider, app)
  })
})

describe('a proxy that rejects the request', () => {
  for (const [tls, head] of [
    [true, 'HTTP/1.1 407 Proxy Authentication Required'],
    [true, 'HTTP/1.1 403 Forbidden'],
    [true, 'HTTP/1.1 502 Bad Gateway'],
    [false, 'HTTP/1.1 407 Proxy Authentication Required'],
  ] as const) {
    test(`${head}, ${tls ? 'with' : 'without'} TLS: the provider is unreachable, and the record says why`, async (t) => {
      const provider = await startProvider(t, { tls })
      const proxy = await startForwardProxy(t, [head, 'proxy-authenticate: Basic realm="inside"'])
      const app = await withEnvironment({ HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url }, () =>
        startApp(t, { target: provider.url, proxy: { fromEnv: true } }),
      )
      const response = await post(app.url + openai.path, openai.request)
      assert.equal(response.status, 502)
      assert.equal(response.headers.get('proxy-authenticate'), null)
      assert.doesNotMatch(await response.text(), /secret|inside/)
      const { code, error } = await app.record()
      assert.equal(code, 'upstream_unreachable')
      assert.match(error ?? '', new RegExp(head.slice('HTTP/1.1 '.length)))
      assert.equal(provider.connections.length, 0)
    })
  }

  test('is recorded in the same way if it cannot be reached', async (t) => {
    const port = await freePort()
    const app = await withEnvironment({ HTTPS_PROXY: `http://127.0.0.1:${port}` }, () =>
      startApp(t, { target: 'https://provider.example', proxy: { fromEnv: true } }),
    )
    assert.equal((await post(app.url + openai.path, openai.request)).status, 502)
    const { code, error } = await app.record()
    assert.equal(code, 'upstream_unreachable')
    assert.match(error ?? '', /ECONNREFUSED/)
  })
})

describe('proxy.fromEnv', () => {
  test("sends the proxy's credentials to the proxy only", async (t) => {
    const provider = await startProvider(t, { tls: true })
    const proxy = await startForwardProxy(t)
    const withPassword = proxy.url.replace('//', '//user:pass@')
    const app = await withEnvironment({ HTTPS_PROXY: withPassword }, () =>
      startApp(t, { target: provider.url, proxy: { fromEnv: true, ssl: { ca: cert } } }),
    )
    const answered = post(app.url + openai.path, openai.request)
    const call = await provider.next()
    assert.equal(call.headers['proxy-authorization'], undefined)
    call.json(200, {})
    await (await answered).text()
    assert.deepEqual(proxy.credentials, [`Basic ${Buffer.from('user:pass').toString('base64')}`])
  })

  const direct: Record<string, string>[] = [{ NO_PROXY: '127.0.0.1' }, { no_proxy: '*' }, { HTTPS_PROXY: '' }]
  for (const environment of direct) {
    test(`connects to the provider directly with ${JSON.stringify(environment)}`, async (t) => {
      const provider = await startProvider(t, { tls: true })
      const proxy = await startForwardProxy(t)
      const app = await withEnvironment({ HTTPS_PROXY: proxy.url, ...environment }, () =>
        startApp(t, { target: provider.url, proxy: { fromEnv: true, ssl: { ca: cert } } }),
      )
      const answered = post(app.url + openai.path, openai.request)
      ;(await provider.next()).json(200, {})
      assert.equal((await answered).status, 200)
      assert.deepEqual(proxy.asked, [])
    })
  }

  test("does not let a client's Host decide whether the proxy is used", async (t) => {
    const provider = await startProvider(t, { tls: true })
    const proxy = await startForwardProxy(t)
    const app = await withEnvironment({ HTTPS_PROXY: proxy.url, NO_PROXY: 'direct.example' }, () =>
      startApp(t, { target: provider.url, proxy: { fromEnv: true, changeOrigin: false, secure: false } }),
    )
    const client = await connect(t, app.port)
    const headers = { host: 'direct.example', 'content-type': 'application/json' }
    client.request('POST', `/ai${openai.path}`, headers, JSON.stringify(openai.request))
    ;(await provider.next()).json(200, {})
    await client.sees('{}')
    assert.deepEqual(proxy.asked, [`CONNECT 127.0.0.1:${provider.port}`])
  })

  for (const [scheme, variable] of [
    ['https', 'HTTPS_PROXY'],
    ['https', 'https_proxy'],
    ['http', 'HTTP_PROXY'],
    ['http', 'ALL_PROXY'],
  ] as const) {
    for (const value of [
      'ftp://user:SECRET@proxy.example:21',
      'http://user:SECRET@',
      'http://user:SECRET%@proxy.example',
    ]) {
      test(`rejects ${variable}=${value} on creation, naming the variable without its value`, () => {
        withEnvironment({ [variable]: value }, () =>
          assert.throws(
            () => aiProxy({ target: `${scheme}://provider.example`, proxy: { fromEnv: true } }),
            ({ name, message, cause }: Error) =>
              name === 'TypeError' && message.includes(variable) && !message.includes('SECRET') && !cause,
          ),
        )
      })
    }
  }

  for (const tls of [true, false]) {
    test(`a proxy without a scheme is asked without TLS, for a target ${tls ? 'with' : 'without'} TLS`, async (t) => {
      const provider = await startProvider(t, { tls })
      const proxy = await startForwardProxy(t)
      const withoutScheme = proxy.url.replace('http://', 'user:pass@')
      const app = await withEnvironment({ [tls ? 'HTTPS_PROXY' : 'HTTP_PROXY']: withoutScheme }, () =>
        startApp(t, { target: provider.url, proxy: { fromEnv: true, ssl: { ca: cert } } }),
      )
      const answered = post(app.url + openai.path, openai.request)
      ;(await provider.next()).json(200, {})
      assert.equal((await answered).status, 200)
      assert.equal(proxy.asked.length, 1)
    })
  }

  test('cannot be combined with an agent', () => {
    const proxy = { fromEnv: true, agent: new HttpsProxyAgent('http://127.0.0.1:1') }
    assert.throws(
      () => aiProxy({ target: 'https://provider.example', proxy }),
      /proxy\.fromEnv takes true only without proxy\.agent/,
    )
  })
})
