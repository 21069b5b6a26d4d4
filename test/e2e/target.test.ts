import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { startProvider } from './support/provider.js'

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
    test(`cannot be chosen by the client, mounted ${where} with every endpoint open`, async (t) => {
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

  test('gets exactly the path that was checked', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: `${provider.url}/base`, endpoints: ['GET files/*/content'] })
    const client = await connect(t, app.port)
    for (const [url, sent] of [
      ['/v1/files/http:/content', '/base/v1/files/http:/content'],
      ['/v1/files/https:/content?a=http:/b', '/base/v1/files/https:/content?a=http:/b'],
      ["/v1/files/it's@home/content?q={x}|y", "/base/v1/files/it's@home/content?q={x}|y"],
      ['/v1/files/x/content?', '/base/v1/files/x/content'],
    ] as const) {
      client.request('GET', `/ai${url}`)
      assert.equal((await provider.next()).url, sent)
      await app.record()
    }
  })

  test('cannot be chosen by headers', async (t) => {
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
    '/files/v1/models',
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

  test('does not rule out unusual spellings of allowed ones: any version prefix, an ARN, a trailing query', async (t) => {
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

test('instrumentation of http.request sees where a request goes, as tracing records it', async (t) => {
  const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
  const app = await startApp(t, { target: `${provider.url}/base` })
  const client = await connect(t, app.port)
  const request = t.mock.method(http, 'request')
  client.request('GET', '/ai/v1/models?limit=5')
  await client.sees('{}')
  const [{ port, path }] = request.mock.calls[0]!.arguments as unknown as [http.RequestOptions]
  assert.deepEqual([String(port), path], [String(provider.port), '/base/v1/models?limit=5'])
})
