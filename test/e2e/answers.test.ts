import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brotliCompressSync, createBrotliCompress, createDeflate, createGzip, gzipSync } from 'node:zlib'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'
import { within } from './support/waiting.js'

describe('a stream that is compressed although identity was requested', () => {
  const encoders = { gzip: createGzip, br: createBrotliCompress, deflate: createDeflate }
  for (const [encoding, create] of Object.entries(encoders)) {
    test(`${encoding}: the proxy decodes it, and events still arrive one by one`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const answer = post(app.url + openai.path, openai.request)
      const call = (await provider.next()).sse([], { 'content-encoding': encoding })
      const encoder = create()
      encoder.on('data', (bytes: Buffer) => call.send(bytes)).on('end', () => call.end())
      const response = await within(answer, 'the head')
      assert.equal(response.headers.get('content-encoding'), null)
      const received = new Events(response)
      for (const event of [...openai.events, openai.terminator]) {
        encoder.write(event)
        encoder.flush()
        assert.equal(await received.next(), event)
      }
      encoder.end()
      assert.equal(await received.next(), undefined)
      const record = await app.record()
      assert.equal(record.outcome, 'completed')
      assert.equal(record.downstreamBytes, [...openai.events, openai.terminator].join('').length)
    })
  }

  test('ends with an error event if the compressed data breaks off', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, openai.request)
    const whole = gzipSync(openai.events.join(''))
    const call = (await provider.next()).sse([], { 'content-encoding': 'gzip' })
    call.end(whole.subarray(0, whole.length - 12))
    const events = await new Events(await answer).rest()
    assert.equal(openai.errorInEvent(events.at(-1)).code, 'upstream_reset')
    assert.equal((await app.record()).outcome, 'upstream_error')
  })

  test('passes unchanged in an unknown encoding, without heartbeats', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { everyMs: 5 } })
    const client = await connect(t, app.port)
    client.post(`/ai${openai.path}`, openai.request)
    const call = (await provider.next()).sse([], { 'content-encoding': 'zstd' })
    call.send('\x28\xb5 half of it')
    await client.sees('half of it')
    call.end(' and the rest')
    assert.doesNotMatch(await client.sees('\r\n0\r\n\r\n'), /heartbeat/)
    assert.match(client.text, /content-encoding: zstd/i)
  })
})

describe('non-streaming answers', () => {
  test('JSON passes unchanged', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, { model: 'm', messages: [] })
    const body = { id: 'x', choices: [] }
    ;(await provider.next()).json(200, body, { 'x-request-id': 'r' })
    const response = await answer
    assert.equal(response.headers.get('content-type'), 'application/json')
    assert.equal(response.headers.get('x-upstream-request-id'), 'r')
    assert.deepEqual(await response.json(), body)
    const record = await app.record()
    assert.equal(record.outcome, 'completed')
    assert.equal(record.stream, false)
    assert.equal(record.events, 0)
    assert.equal(record.downstreamBytes, JSON.stringify(body).length)
  })

  test('binary audio passes byte for byte', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: ['audio/speech'] })
    const audio = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 31 + (at >> 8)) & 255))
    const answer = post(`${app.url}/v1/audio/speech`, { model: 'tts', input: 'Hi' })
    const call = await provider.next()
    call.res.writeHead(200, { 'content-type': 'audio/mpeg' })
    for (let at = 0; at < audio.length; at += 7001) call.send(audio.subarray(at, at + 7001))
    call.end()
    const received = Buffer.from(await (await answer).arrayBuffer())
    assert.ok(received.equals(audio))
    assert.equal((await app.record()).downstreamBytes, audio.length)
  })

  test('compressed JSON stays readable for the client', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const answer = post(app.url + openai.path, { model: 'm' })
    const call = await provider.next()
    const bytes = brotliCompressSync('{"ok":true}')
    call.res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'br' }).end(bytes)
    assert.deepEqual(await (await answer).json(), { ok: true })
  })

  test('the part of a file in JSON that the client has asked for passes: it is no whole JSON', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: 'all', forwardHeaders: ['range'] })
    const part = fetch(`${app.url}/v1/files/f/content`, { headers: { range: 'bytes=0-7' } })
    const call = await provider.next()
    assert.equal(call.headers.range, 'bytes=0-7')
    const head = { 'content-type': 'application/json', 'content-range': 'bytes 0-7/90' }
    call.res.writeHead(206, head).end('{"a":{"b')
    const response = await part
    assert.deepEqual([response.status, await response.text()], [206, '{"a":{"b'])
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('a file of lines that the client downloads passes byte for byte, with its length', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: 'all', heartbeat: { everyMs: 1 } })
    const file = fetch(`${app.url}/v1/files/f/content`)
    // A stream would get the end of its last line, and no length.
    const lines = '{"custom_id":"a","error":{"message":"no"}}\n{"custom_id":"b"}'
    const head = { 'content-type': 'application/jsonl', 'content-length': lines.length, etag: '"a"' }
    ;(await provider.next()).res.writeHead(200, head).end(lines)
    const { headers, ...response } = await file.then(async (each) => ({
      headers: each.headers,
      text: await each.text(),
    }))
    assert.equal(response.text, lines)
    assert.deepEqual([headers.get('content-length'), headers.get('etag')], [String(lines.length), '"a"'])
    const { outcome, usage } = await app.record()
    assert.deepEqual([outcome, usage], ['completed', undefined])
  })

  test('a 204 is complete, but an empty stream is truncated', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const nothing = post(app.url + openai.path, openai.request)
    ;(await provider.next()).res.writeHead(204).end()
    assert.equal((await nothing).status, 204)
    assert.equal((await app.record()).outcome, 'completed')
    const empty = post(app.url + openai.path, openai.request)
    ;(await provider.next()).sse().end()
    assert.equal(openai.errorInEvent(await (await empty).text()).code, 'upstream_truncated')
    assert.equal((await app.record()).outcome, 'upstream_error')
  })
})
