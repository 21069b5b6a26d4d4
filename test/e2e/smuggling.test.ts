import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import express, { type ErrorRequestHandler } from 'express'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { until } from './support/waiting.js'

const json = { 'content-type': 'application/json' }

describe('request smuggling', () => {
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

  test('a chunked body of a GET on a default endpoint never becomes a request of its own', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})).resume() })
    const app = await startApp(t, { target: provider.url, auth: { headers: { authorization: 'Bearer ours' } } })
    const client = await connect(t, app.port)
    client.request('GET', '/ai/v1/models', { 'transfer-encoding': 'chunked' })
    client.write(`${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`)
    await client.sees(/^HTTP\/1\.1 \d+/)
    await app.record()
    assert.ok(!provider.calls.some(({ url }) => url === '/v1/admin'))
  })

  test('headers named in Connection are not forwarded; those that frame the body cannot be removed that way', async (t) => {
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
    'an invalid length': 'content-length: +2\r\n\r\n{}',
    'an unknown encoding': 'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  }
  for (const [what, rest] of Object.entries(rejected)) {
    test(`${what}: rejected with 400`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = await connect(t, app.port)
      client.write(`POST /ai${openai.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${rest}`)
      assert.match(await client.end(), /^HTTP\/1\.1 400 /)
      assert.equal(provider.connections.length, 0)
    })
  }

  test('a filter that forwards content-encoding does not mislabel a body that a parser has decompressed', async (t) => {
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

  test('a decompression bomb that has to be read is rejected with 413', async (t) => {
    const provider = await startProvider(t)
    const handler: ErrorRequestHandler = (error, _req, res, _next) => void res.status(error.status).end(error.code)
    const app = await startApp(
      t,
      { target: provider.url, models: ['m'], limits: { maxRequestBytes: 100_000 }, errors: 'next' },
      { after: (app) => app.use(handler) },
    )
    const client = await connect(t, app.port)
    const bomb = gzipSync(JSON.stringify({ model: 'm', x: 'x'.repeat(10_000_000) })).toString('latin1')
    assert.ok(bomb.length < 100_000)
    client.request('POST', `/ai${openai.path}`, { ...json, 'content-encoding': 'gzip', connection: 'close' }, bomb)
    assert.match(await client.end(), /^HTTP\/1\.1 413 [\s\S]*request_too_large$/)
    assert.equal(provider.connections.length, 0)
  })

  test('a decompression bomb that need not be read passes compressed', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxRequestBytes: 100_000 } })
    const client = await connect(t, app.port)
    const bomb = gzipSync(JSON.stringify({ model: 'm', stream: true, x: 'x'.repeat(10_000_000) }))
    const headers = { ...json, 'content-encoding': 'gzip' }
    client.request('POST', `/ai${openai.path}`, headers, bomb.toString('latin1'))
    const call = await provider.next()
    assert.ok((await call.body) === bomb.toString('latin1'))
    assert.equal(call.headers['content-encoding'], 'gzip')
    call.sse().end(openai.terminator)
    const { model, stream, requestBytes } = await app.record()
    assert.deepEqual({ model, stream, requestBytes }, { model: 'm', stream: true, requestBytes: bomb.length })
  })
})
