import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import express, { type ErrorRequestHandler } from 'express'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
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
  const setups = {
    'auth.headers': { auth: { headers: { authorization: 'Bearer ours' } } },
    'auth.query': { auth: { query: { key: 'ours' } } },
    'a credential among headers': { headers: { 'X-Api-Key': 'ours' } },
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
    const script = join(__dirname, 'support', 'noisy-app.ts')
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

describe('the host of the target', () => {
  // `EVIL` is the address of another server, which must never be asked.
  const urls = [
    'http://EVIL/ai/v1/models',
    'HTTP://EVIL/ai/v1/models',
    'http://user:pw@EVIL/ai/v1/models',
    'http://EVIL?/ai/v1/models',
    'http://EVIL\\@x/ai/v1/models',
    '//EVIL/ai/v1/models',
    '///EVIL/ai/v1/models',
    '/ai//EVIL/v1/models',
    '/ai///EVIL/v1/models',
    '/ai/http://EVIL/v1/models',
    '/ai/@EVIL/v1/models',
    '/ai@EVIL/v1/models',
    '/ai/:@EVIL/v1/models',
    '/ai/%2f%2fEVIL/v1/models',
    '/ai/%2F%2FEVIL%2Fv1/models',
    '/ai/%5c%5cEVIL/v1/models',
    '/ai/\\\\EVIL/v1/models',
    '/ai\\\\EVIL/v1/models',
    '/ai/v1\\..\\..\\EVIL/v1/models',
    '/ai/..//EVIL/v1/models',
    '/ai/.//EVIL/v1/models',
    '/ai/%2e%2e//EVIL/v1/models',
    '/ai/v1/models?@EVIL/',
    '/ai/v1/models?x=http://EVIL/',
    '@EVIL/ai/v1/models',
    'EVIL',
  ]
  for (const [where, mounted] of [
    ['at /ai', '/ai'],
    ['at the root', '/'],
  ] as const) {
    test(`cannot be chosen, mounted ${where} with every endpoint open`, async (t) => {
      const evil = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(
        t,
        { target: `${provider.url}/base`, endpoints: 'all' },
        { mount: (app, proxy) => app.use(mounted, proxy) },
      )
      for (const url of urls) {
        for (const template of mounted === '/' ? [url, url.replace(/\/ai(?=[/@\\])/, '')] : [url]) {
          const client = await connect(t, app.port)
          client.request('GET', template.replace('EVIL', `127.0.0.1:${evil.port}`), { connection: 'close' })
          assert.match(await client.end(), /^HTTP\/1\.1 [24]\d\d /, template)
        }
      }
      assert.equal(evil.connections.length, 0)
      for (const call of provider.calls) {
        assert.match(call.url, /^\/base(\/|$)/)
        assert.equal(call.headers.host, `127.0.0.1:${provider.port}`)
      }
    })
  }

  test('nor by headers', async (t) => {
    const evil = await startProvider(t)
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(
      t,
      { target: provider.url, forwardHeaders: () => true },
      {
        before: (app) => app.set('trust proxy', true),
      },
    )
    const host = `127.0.0.1:${evil.port}`
    const tricks = [
      'host',
      'x-forwarded-host',
      'forwarded',
      'x-original-url',
      'x-rewrite-url',
      'x-http-method-override',
    ]
    for (const name of tricks) {
      const client = await connect(t, app.port)
      const value = name === 'forwarded' ? `host=${host}` : name.endsWith('url') ? `http://${host}/` : host
      client.request('GET', '/ai/v1/models', { [name]: value, connection: 'close' })
      assert.match(await client.end(), /^HTTP\/1\.1 200 /)
      const call = await provider.next()
      assert.equal(call.headers.host, `127.0.0.1:${provider.port}`)
      assert.equal(call.url, '/v1/models')
      assert.equal(call.req.method, 'GET')
    }
    assert.equal(evil.connections.length, 0)
  })
})

describe('an endpoint that is not allowed', () => {
  const spellings = [
    '/v1/files',
    '/v1/FILES',
    '/v1/files/',
    '/v1/%66iles',
    '/v1//files',
    '/v1/./files',
    '/v1/models/../files',
    '/v1/models/%2e%2e/files',
    '/v1/models/.%2e/files',
    '/v1/models/..%2ffiles',
    '/v1/models/x%2f..%2f..%2ffiles',
    '/v1/models/%252e%252e/files',
    '/v1/models/..;/files',
    '/v1/models/..;x=1/files',
    '/v1/models/..\\files',
    '/v1/models/..%5cfiles',
    '/v1/models%2f..%2ffiles',
    '/v1/files?/v1/models',
    '/v1/files#/v1/models',
    '/v1/files%3f/v1/models',
    '/v1/files%23/models',
    '/v1/files;/v1/models',
    '/v1/models\t/../files',
    '/v1/models/%00',
    '/v1/models/%0d%0aHost:%20x',
    '/v1/models/%c0%ae%c0%ae/files',
    '/v1/models/%zz',
    '/../v1/models',
    '/v1/v1/models',
    '/x/v1/models',
    '/model/arn:a%2f..%2f..%2ffiles/converse',
    '/model/arn:aws%2f%2fx/converse',
  ]
  test('cannot be reached by any spelling', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    for (const spelling of spellings) {
      const client = await connect(t, app.port)
      const method = spelling.startsWith('/model/') ? 'POST' : 'GET'
      client.request(method, `/ai${spelling}`, { connection: 'close' })
      assert.match(await client.end(), /^HTTP\/1\.1 40[04] /, spelling)
    }
    assert.equal(provider.calls.length, 0)
  })

  test('and what is allowed can: any version prefix, an ARN, a trailing query', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    for (const [method, path] of [
      ['GET', '/models'],
      ['GET', '/v1beta/models/gemini-2?pageSize=5'],
      ['POST', '/v1beta/models/gemini-2:streamGenerateContent?alt=sse'],
      ['POST', '/openai/deployments/gpt%2D4o/chat/completions?api-version=1'],
      ['POST', '/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fus.x/converse-stream'],
      ['POST', '/api/chat'],
      ['POST', '/v2/chat'],
    ] as const) {
      const client = await connect(t, app.port)
      client.request(method, `/ai${path}`, { connection: 'close' })
      assert.match(await client.end(), /^HTTP\/1\.1 200 /, path)
      assert.equal((await provider.next()).url, path)
    }
  })
})

describe('smuggling', () => {
  const smuggled = 'POST /v1/admin HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'
  for (const [method, type] of [
    ['GET', 'text/plain'],
    ['HEAD', 'text/plain'],
    ['DELETE', 'text/plain'],
    ['OPTIONS', 'text/plain'],
    ['POST', 'text/plain'],
    ['GET', 'application/json'],
    ['DELETE', 'application/json'],
  ] as const) {
    test(`a chunked ${type} body of a ${method} never becomes a request of its own`, async (t) => {
      const provider = await startProvider(t, {
        onCall: (call) => call.req.on('end', () => call.json(200, {})).resume(),
      })
      const app = await startApp(t, { target: provider.url, endpoints: 'all' })
      const client = await connect(t, app.port)
      const content = type === 'text/plain' ? smuggled : JSON.stringify({ smuggled })
      client.request(method, '/ai/v1/models', { 'content-type': type, 'transfer-encoding': 'chunked' })
      client.write(`${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`)
      await client.sees(/^HTTP\/1\.1 \d+/)
      await app.record()
      // The same connection, if it was kept: what was smuggled would be answered here.
      const next = (await connect(t, app.port)).request('GET', '/ai/v1/after', { connection: 'close' })
      await next.end()
      await until(() => provider.calls.some(({ url }) => url === '/v1/after'), 'the next request is there')
      assert.deepEqual(
        provider.calls.map(({ url }) => url).filter((url) => url !== '/v1/models'),
        ['/v1/after'],
      )
    })
  }

  test('a chunked body of a GET on an endpoint that is open by default', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})).resume() })
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization: 'Bearer ours' } } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models', { 'transfer-encoding': 'chunked' })
    client.write(`${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)
    await client.sees(/^HTTP\/1\.1 \d+/)
    await app.record()
    assert.ok(!provider.calls.some(({ url }) => url === '/v1/admin'))
  })

  test('headers that Connection names stay here, and cannot take away what frames the body', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})).resume() })
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization: 'Bearer ours' } } })
    const client = await connect(t, app.port)
    const connection = 'keep-alive, content-length, transfer-encoding, Authorization, content-type, x-request-id'
    client.request('POST', `/ai${openai.path}`, { ...json, connection, 'x-request-id': 'r' }, '{"model":"m"}')
    const call = await provider.next()
    assert.equal(await call.text, '{"model":"m"}')
    assert.equal(call.headers.authorization, 'Bearer ours')
    assert.equal(call.headers['x-request-id'], undefined)
    assert.equal(call.headers['content-type'], 'application/json')
  })

  const rejected = {
    'two lengths': 'content-length: 2\r\ncontent-length: 3\r\n\r\n{}',
    'a length and chunks': 'content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'a length that is none': 'content-length: +2\r\n\r\n{}',
    'an unknown encoding': 'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  }
  for (const [what, rest] of Object.entries(rejected)) {
    test(`${what}: refused`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = await connect(t, app.port)
      client.write(`POST /ai${openai.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${rest}`)
      assert.match(await client.end(), /^HTTP\/1\.1 400 /)
      assert.equal(provider.connections.length, 0)
    })
  }

  test('a filter that lets content-encoding through does not mislabel what a parser has decompressed', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(
      t,
      { target: provider.url, forwardHeaders: () => true },
      {
        before: (app) => app.use(express.json()),
      },
    )
    const client = await connect(t, app.port)
    const body = gzipSync('{"model":"m"}').toString('latin1')
    client.request('POST', `/ai${openai.path}`, { ...json, 'content-encoding': 'gzip' }, body)
    const call = await provider.next()
    assert.equal(await call.text, '{"model":"m"}')
    assert.equal(call.headers['content-encoding'], undefined)
  })

  test('a bomb: compressed JSON that is too large when it is not', async (t) => {
    const provider = await startProvider(t)
    const handler: ErrorRequestHandler = (error, _req, res, _next) => void res.status(error.status).end(error.code)
    const app = await startApp(
      t,
      { target: provider.url, limits: { maxRequestBytes: 100_000 }, errors: 'next' },
      { after: (app) => app.use(handler) },
    )
    const client = await connect(t, app.port)
    const bomb = gzipSync(JSON.stringify({ model: 'm', x: 'x'.repeat(10_000_000) })).toString('latin1')
    assert.ok(bomb.length < 100_000)
    client.request('POST', `/ai${openai.path}`, { ...json, 'content-encoding': 'gzip', connection: 'close' }, bomb)
    assert.match(await client.end(), /^HTTP\/1\.1 413 [\s\S]*request_too_large$/)
    assert.equal(provider.connections.length, 0)
  })
})
