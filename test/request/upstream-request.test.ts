import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Request } from 'express'
import type { HookedExchange } from '../../lib/api/hooks.js'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import type { RequestBody } from '../../lib/request/body.js'
import { providerPath } from '../../lib/request/provider-path.js'
import { upstreamRequest } from '../../lib/request/upstream-request.js'

const client = {
  method: 'POST',
  ip: '203.0.113.9',
  secure: true,
  headers: {
    host: 'app.example',
    cookie: 'sid=1',
    authorization: 'Bearer mine',
    accept: 'text/event-stream',
    'accept-encoding': 'gzip, br',
    'content-type': 'application/json',
    'content-length': '999',
    'x-stainless-lang': 'js',
    connection: 'x-stainless-os',
    'x-stainless-os': 'Linux',
  },
} as unknown as Request

const body: RequestBody = {
  content: Buffer.from('{}'),
  headers: { 'content-type': 'application/json; charset=utf-8', 'content-length': '2' },
  json: {},
}

const exchangeOf = (req: Request) => ({ req, hookView: () => ({ req }) as HookedExchange })

const assembled = (options: Partial<AiProxyOptions>, url = '/v1/chat/completions', req = client) =>
  upstreamRequest(
    exchangeOf(req),
    providerPath(url),
    body,
    resolveOptions({ target: 'https://provider.example', ...options }),
  )

describe('the request to the provider', () => {
  test('has the client’s credentials if the proxy has none', async () => {
    assert.deepEqual(await assembled({}), {
      method: 'POST',
      url: '/v1/chat/completions',
      headers: {
        host: 'app.example',
        accept: 'text/event-stream',
        authorization: 'Bearer mine',
        'content-type': 'application/json; charset=utf-8',
        'content-length': '2',
        'x-stainless-lang': 'js',
        'accept-encoding': 'identity',
      },
      body: body.content,
      client: { remoteAddress: undefined, encrypted: false },
    })
  })

  test("has the client's address with xfwd", async () => {
    const { client } = await assembled({ proxy: { xfwd: true } })
    assert.deepEqual(client, { remoteAddress: '203.0.113.9', encrypted: true })
  })

  test("has only the proxy's credentials if there are any", async () => {
    const { headers } = await assembled({ auth: { headers: { Authorization: 'Bearer ours' } } })
    assert.equal(headers.authorization, 'Bearer ours')
    assert.ok(!JSON.stringify(headers).includes('mine'))
  })

  for (const options of [
    { auth: { headers: { 'x-api-key': 'ours' } } },
    { auth: { query: { key: 'ours' } } },
    { headers: { 'api-key': 'ours' } },
    { headers: { 'Ocp-Apim-Subscription-Key': 'ours' } },
    { headers: { cookie: 'session=ours' } },
    { headers: { 'X-Gateway-Pass': 'ours' } },
    { forwardCredentials: false },
    { forwardCredentials: false, forwardHeaders: () => true },
    { auth: { headers: { 'x-api-key': 'ours' } }, forwardHeaders: () => true },
    { auth: { headers: { 'x-api-key': 'ours' } }, forwardHeaders: ['*'] },
  ] as Partial<AiProxyOptions>[]) {
    test(`does not have the client’s credentials with ${JSON.stringify(options)}`, async () => {
      const { headers, url } = await assembled(options, '/v1/chat/completions?key=mine')
      assert.ok(!JSON.stringify([headers, url]).includes('mine'))
    })
  }

  for (const options of [
    {},
    { headers: { 'anthropic-beta': 'x' } },
    { headers: { 'x-flavour': 'a' }, forwardCredentials: true },
  ] as Partial<AiProxyOptions>[]) {
    test(`has the client’s credentials with ${JSON.stringify(options)}`, async () => {
      const { headers, url } = await assembled(options, '/v1/chat/completions?key=mine')
      assert.equal(headers.authorization, 'Bearer mine')
      assert.equal(url, '/v1/chat/completions?key=mine')
    })
  }

  test('does not have the client’s credentials if a header set by a hook may be one, whatever its name', async () => {
    const req = { ...client, headers: { ...client.headers, 'x-api-key': 'mine' } } as unknown as Request
    const sent = async (options: Partial<AiProxyOptions>, hooked: Record<string, string>) => {
      const config = resolveOptions({ target: 'https://provider.example', ...options })
      const { headers, url } = await upstreamRequest(
        exchangeOf(req),
        providerPath('/v1/messages?key=mine'),
        body,
        config,
        [],
        hooked,
      )
      return JSON.stringify([headers, url])
    }
    const signed = { Authorization: 'AWS4-HMAC-SHA256 ours', 'x-amz-date': '1' }
    assert.doesNotMatch(await sent({}, signed), /mine/)
    assert.doesNotMatch(await sent({ forwardHeaders: () => true }, signed), /mine/)
    assert.doesNotMatch(await sent({}, { 'x-gateway-pass': 'ours' }), /mine/)
    assert.match(await sent({}, { traceparent: '00-1', 'x-request-id': '1' }), /Bearer mine.*key=mine/)
    assert.match(await sent({ forwardCredentials: true }, { 'x-flavour': 'a' }), /Bearer mine.*key=mine/)
  })

  test('has the client’s credentials if an observer sets trace headers, whatever their names', async () => {
    const config = resolveOptions({ target: 'https://provider.example' })
    for (const name of [
      'b3',
      'x-b3-traceid',
      'x-cloud-trace-context',
      'sentry-trace',
      'x-datadog-trace-id',
      'uber-trace-id',
    ]) {
      const path = providerPath('/v1/messages?key=mine')
      const { headers, url } = await upstreamRequest(exchangeOf(client), path, body, config, [{ [name]: '1' }])
      assert.deepEqual([headers.authorization, headers[name], url], ['Bearer mine', '1', '/v1/messages?key=mine'])
    }
  })

  test('asks Google’s APIs for complete JSON', async () => {
    const req = { ...client, headers: { ...client.headers, accept: 'application/x-protobuf' } } as unknown as Request
    for (const [target, path] of [
      ['https://provider.example', '/v1beta/models/g:generateContent'],
      ['https://provider.example', '/v1/models/g%3AstreamGenerateContent'],
      ['https://provider.example', '/v1/projects/p/locations/eu/endpoints/openapi/chat/completions'],
      ['https://generativelanguage.googleapis.com', '/v1/models'],
    ] as const) {
      const { headers, url } = await assembled({ target }, `${path}?%24fields=a&fields=b&alt=proto&c=1`, req)
      assert.equal(headers.accept, undefined)
      assert.equal(url, `${path}?c=1`)
    }
    const elsewhere = await assembled({}, '/v1/chat/completions?fields=a', req)
    assert.equal(elsewhere.url, '/v1/chat/completions?fields=a')
    assert.equal(elsewhere.headers.accept, 'application/x-protobuf')
  })

  test('from HTTP/2 has its host, and no pseudo-headers', async () => {
    const headers = { ':method': 'POST', ':path': '/', ':scheme': 'https', ':authority': 'app.example', accept: '*/*' }
    const req = { ...client, headers } as unknown as Request
    const sent = await assembled({ forwardHeaders: () => true }, '/v1/chat/completions', req)
    assert.equal(sent.headers.host, 'app.example')
    assert.deepEqual(
      Object.keys(sent.headers).filter((name) => name.startsWith(':')),
      [],
    )
  })

  test('has the headers of hooks and observers, which override all others, the last ones first', async () => {
    const config = resolveOptions({
      target: 'https://provider.example',
      headers: { 'x-team': 'config', 'x-other': 'a' },
    })
    const observed: Record<string, string>[] = [{ 'X-Team': 'first', accept: 'x/y' }, {}]
    const hooked = { 'x-team': 'second', 'Content-Type': 'a/b' }
    const { headers } = await upstreamRequest(
      exchangeOf(client),
      providerPath('/v1/messages'),
      body,
      config,
      observed,
      hooked,
    )
    const { 'x-team': team, 'x-other': other, accept, 'content-type': type } = headers
    assert.deepEqual([team, other, accept, type], ['second', 'a', 'x/y', 'a/b'])
    assert.equal('X-Team' in headers, false)
  })

  test("continues an observer's trace without the client’s tracestate", async () => {
    const config = resolveOptions({ target: 'https://provider.example' })
    const traced = { ...client, headers: { traceparent: '00-client', tracestate: 'client=1' } } as unknown as Request
    const path = providerPath('/v1/messages')
    const untouched = await upstreamRequest(exchangeOf(traced), path, body, config, [{ 'x-a': '1' }])
    assert.deepEqual([untouched.headers.traceparent, untouched.headers.tracestate], ['00-client', 'client=1'])
    const continued = await upstreamRequest(exchangeOf(traced), path, body, config, [{ traceparent: '00-ours' }])
    assert.deepEqual([continued.headers.traceparent, continued.headers.tracestate], ['00-ours', undefined])
    const both = await upstreamRequest(exchangeOf(traced), path, body, config, [
      { traceparent: '00-ours', tracestate: 'ours=1' },
    ])
    assert.deepEqual([both.headers.traceparent, both.headers.tracestate], ['00-ours', 'ours=1'])
  })

  for (const name of ['content-length', 'transfer-encoding', 'connection', 'expect']) {
    test(`ignores framing headers set by an observer: ${name}`, async () => {
      const config = resolveOptions({ target: 'https://provider.example' })
      const { headers } = await upstreamRequest(exchangeOf(client), providerPath('/v1/messages'), body, config, [
        { [name]: '5' },
      ])
      assert.notEqual(headers[name], '5')
    })
  }

  test('has the target’s path before the client’s, and its query after it', async () => {
    const options = { target: 'https://provider.example/some/base/', auth: { query: { key: 'k' } } }
    assert.equal((await assembled(options, '/v1/models?limit=5')).url, '/some/base/v1/models?limit=5&key=k')
    assert.equal((await assembled({ target: options.target }, '/v1/models?')).url, '/some/base/v1/models')
  })

  test('has the option headers over the client’s, and credentials over these', async () => {
    const { headers } = await assembled({
      headers: { Accept: 'application/json', 'X-Team': 'a', 'X-Api-Key': 'weak' },
      auth: { headers: { 'x-api-key': 'strong' } },
    })
    assert.equal(headers.accept, 'application/json')
    assert.equal(headers['x-team'], 'a')
    assert.equal(headers['x-api-key'], 'strong')
    assert.equal(Object.keys(headers).filter((name) => name.toLowerCase() === 'x-api-key').length, 1)
  })

  test('never has cookies or headers of the client’s connection', async () => {
    const { headers } = await assembled({ forwardHeaders: () => true })
    for (const name of ['cookie', 'connection', 'x-stainless-os']) assert.equal(headers[name], undefined, name)
    assert.equal(headers['accept-encoding'], 'identity')
    assert.equal(headers['content-length'], '2')
  })

  test('describes the body as it is now, whatever the client declared', async () => {
    // A parser has decompressed it: `body.headers` names no encoding any more.
    const req = { ...client, headers: { ...client.headers, 'content-encoding': 'gzip' } } as unknown as Request
    const { headers } = await assembled({ forwardHeaders: () => true }, '/v1/chat/completions', req)
    assert.equal(headers['content-encoding'], undefined)
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(headers['content-length'], '2')
  })

  test('calls credential functions each time', async () => {
    let calls = 0
    const auth = { headers: { 'x-api-key': () => `k${++calls}` }, query: { key: async () => `q${calls}` } }
    const config = resolveOptions({ target: 'https://provider.example', auth })
    for (const time of [1, 2]) {
      const request = await upstreamRequest(exchangeOf(client), providerPath('/v1/models'), body, config)
      assert.equal(request.headers['x-api-key'], `k${time}`)
      assert.equal(request.url, `/v1/models?key=q${time}`)
    }
  })
})
