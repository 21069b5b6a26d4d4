import assert from 'node:assert/strict'
import type http from 'node:http'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import express, { type Express } from 'express'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Owner, startProvider } from './support/provider.js'

const path = `/ai${openai.path}`
const json = { 'content-type': 'application/json' }

async function startEchoed(t: Owner, before: (app: Express) => unknown, options = {}) {
  const provider = await startProvider(t, { onCall: (call) => call.req.on('end', () => call.json(200, {})) })
  const app = await startApp(t, { target: provider.url, ...options }, { before: (app) => void before(app) })
  return { provider, app, client: await connect(t, app.port) }
}

describe('after body parsers', () => {
  const spelled = '{ "model":"m", "stream":false, "n":1.0, "messages":[{"content":"é👋"}] }'
  const keepRaw = (req: http.IncomingMessage, _res: unknown, bytes: Buffer) => Object.assign(req, { rawBody: bytes })
  const parsers: Record<string, { parser: express.RequestHandler; sent: string }> = {
    'express.json()': { parser: express.json(), sent: JSON.stringify(JSON.parse(spelled)) },
    'express.json() that keeps rawBody': { parser: express.json({ verify: keepRaw }), sent: spelled },
    'express.text()': { parser: express.text({ type: '*/*' }), sent: spelled },
    'express.raw()': { parser: express.raw({ type: '*/*' }), sent: spelled },
    'a parser of another type': { parser: express.urlencoded({ extended: true }), sent: spelled },
  }
  for (const [what, { parser, sent }] of Object.entries(parsers)) {
    for (const compressed of [false, true]) {
      test(`${what}: ${compressed ? 'compressed ' : ''}JSON reaches the provider`, async (t) => {
        const { provider, app, client } = await startEchoed(t, (app) => app.use(parser))
        const bytes = compressed ? gzipSync(spelled) : Buffer.from(spelled)
        const headers = compressed ? { ...json, 'content-encoding': 'gzip' } : { ...json }
        client.request('POST', path, headers, bytes.toString('latin1'))
        const call = await provider.next()
        const isStillCompressed = compressed && what === 'a parser of another type'
        const expected = isStillCompressed ? bytes : Buffer.from(sent)
        assert.ok(Buffer.from(await call.text, 'latin1').equals(expected))
        assert.equal(call.headers['content-length'], String(expected.length))
        assert.equal(call.headers['content-encoding'], isStillCompressed ? 'gzip' : undefined)
        assert.match(call.headers['content-type'] ?? '', /^application\/json/)
        const record = await app.record()
        assert.equal(record.model, 'm')
        assert.equal(record.requestBytes, expected.length)
      })
    }
  }

  for (const encoding of ['utf8', 'latin1', 'base64'] as const) {
    test(`a body that arrives as strings because of setEncoding('${encoding}') reaches the provider`, async (t) => {
      const { provider, client } = await startEchoed(t, (app) =>
        app.use((req, _res, next) => {
          req.setEncoding(encoding)
          next()
        }),
      )
      client.request('POST', path, { ...json }, Buffer.from(spelled).toString('latin1'))
      const call = await provider.next()
      assert.equal(Buffer.from(await call.text, 'latin1').toString(), spelled)
      await client.sees(' 200 ')
    })
  }

  test('a form parsed by express.urlencoded() reaches the provider', async (t) => {
    const { provider, client } = await startEchoed(t, (app) => app.use(express.urlencoded({ extended: true })), {
      endpoints: 'all',
    })
    const type = 'application/x-www-form-urlencoded'
    client.request('POST', '/ai/v1/form', { 'content-type': type }, 'a=1&b%5Bc%5D=x+y&d=%C3%A9&l=1&l=2')
    const call = await provider.next()
    const fields = new URLSearchParams(await call.text)
    assert.deepEqual([fields.get('a'), fields.get('b[c]'), fields.get('d')], ['1', 'x y', 'é'])
    assert.equal(fields.size, 5)
    assert.match(call.headers['content-type'] ?? '', /^application\/x-www-form-urlencoded/)
  })

  test('a body that was consumed but not kept gets 400, with advice on what to do', async (t) => {
    const drained = (app: Express) => app.use((req, _res, next) => void req.resume().on('end', () => next()))
    const { provider, app, client } = await startEchoed(t, drained)
    client.request('POST', path, json, spelled.replace(/[^ -~]/g, ''))
    assert.match(await client.sees(/mount it before/), /^HTTP\/1\.1 400/)
    assert.equal((await app.record()).code, 'invalid_request')
    assert.equal(provider.calls.length, 0)
  })

  test('requests without a body pass through all parsers', async (t) => {
    const all = (app: Express) => app.use(express.json(), express.text(), express.raw(), express.urlencoded())
    const { provider, client } = await startEchoed(t, all)
    client.request('GET', '/ai/v1/models')
    const call = await provider.next()
    assert.equal(await call.text, '')
    assert.equal(call.headers['content-length'], undefined)
  })

  test('maxRequestBytes also applies to what a parser has read', async (t) => {
    const { app, client } = await startEchoed(t, (app) => app.use(express.json()), { limits: { maxRequestBytes: 50 } })
    const body = gzipSync(JSON.stringify({ model: 'm', x: 'x'.repeat(500) }))
    assert.ok(body.length < 50, 'the limit is not hit before the parser')
    client.request('POST', path, { ...json, 'content-encoding': 'gzip' }, body.toString('latin1'))
    await client.sees('HTTP/1.1 413')
    assert.equal((await app.record()).code, 'request_too_large')
  })
})
