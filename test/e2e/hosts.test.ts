import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { IncomingMessage, ServerResponse } from 'node:http'
import http2, { type ClientHttp2Session, constants } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import type { NextFunction, Request, Response } from 'express'
import { type AiProxy, type AiProxyOptions, aiProxy, type ExchangeRecord } from '../../lib/index.js'
import { openai } from './support/protocols.js'
import { type Call, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const body = Buffer.from(JSON.stringify(openai.request))
const whole = `${openai.events.join('')}${openai.terminator}`

/** The middleware as a handler of any server, with its records. */
async function handlerFor(t: TestContext, onCall?: (call: Call) => unknown, options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t, onCall ? { onCall } : {})
  const records = new Queue<ExchangeRecord>('a record')
  const proxy = aiProxy({ ...options, target: provider.url, onFinish: (record) => records.push(record) })
  t.after(() => within(proxy.close({ graceMs: 0 }), 'close(), after the test', 3000))
  const handle = (req: unknown, res: unknown) => {
    const next: NextFunction = (error) => assert.fail(String(error))
    void proxy(req as Request, res as Response, next)
  }
  return { provider, proxy, handle, record: () => records.next() }
}

/** A server of HTTP/2 that has the middleware alone, and a client's session with it. */
async function overHttp2(t: TestContext, handle: (req: unknown, res: unknown) => void): Promise<ClientHttp2Session> {
  const server = http2.createServer((req, res) => handle(req, res))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  session.on('error', () => {})
  t.after(() => {
    session.destroy()
    server.close()
  })
  return session
}

function ask(session: ClientHttp2Session) {
  const stream = session.request({
    ':method': 'POST',
    ':path': openai.path,
    'content-type': 'application/json',
    'content-length': String(body.length),
  })
  stream.on('error', () => {})
  stream.setEncoding('utf8').end(body)
  return stream
}

async function textOf(stream: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of stream) text += piece
  return text
}

/** What a response may be, as it comes from the provider. */
const answers: Record<string, { act: (call: Call) => unknown; text: string; outcome?: string }> = {
  'a stream': { act: (call) => call.sse([whole]).end(), text: whole },
  'a JSON answer': { act: (call) => call.json(200, { id: 'c1' }), text: '{"id":"c1"}' },
  'a large answer': {
    act: (call) => call.json(200, { id: 'x'.repeat(1_000_000) }),
    text: JSON.stringify({ id: 'x'.repeat(1_000_000) }),
  },
  'an error': { act: (call) => call.json(429, { error: {} }), text: '{"error":{}}', outcome: 'provider_error' },
}

function assertAllGone(proxy: AiProxy): void {
  assert.deepEqual(proxy.exchanges(), [])
}

describe("on Node's HTTP/2 server", () => {
  for (const [what, { act, text, outcome = 'completed' }] of Object.entries(answers)) {
    test(`${what}: passes whole, and ends as ${outcome}`, async (t) => {
      const { proxy, handle, record } = await handlerFor(t, act)
      const session = await overHttp2(t, handle)
      assert.equal(await within(textOf(ask(session)), 'the answer'), text)
      assert.equal((await record()).outcome, outcome)
      assertAllGone(proxy)
    })
  }

  test('stops the provider if the client cancels the stream but keeps its connection open', async (t) => {
    const { provider, proxy, handle, record } = await handlerFor(t)
    const session = await overHttp2(t, handle)
    const stream = ask(session)
    const call = (await provider.next()).sse([openai.events[0]])
    await within(once(stream, 'data'), 'the first event')
    stream.close(constants.NGHTTP2_CANCEL)
    assert.equal((await record()).outcome, 'client_disconnect')
    await call.gone
    assertAllGone(proxy)
  })

  for (const headers of [{}, { 'content-length': '99' }]) {
    test(`shows the client that an answer broke off, and keeps the connection: ${JSON.stringify(headers)}`, async (t) => {
      const { provider, handle, record } = await handlerFor(t)
      const session = await overHttp2(t, handle)
      const stream = ask(session)
      const call = await provider.next()
      call.res.writeHead(200, { 'content-type': 'text/plain', ...headers }).write('part')
      assert.deepEqual(await within(once(stream, 'data'), 'the part'), ['part'])
      let hasEnded = false
      stream.on('end', () => {
        hasEnded = true
      })
      const closed = new Promise((resolve) => stream.once('close', resolve))
      call.reset()
      await within(closed, 'the close')
      assert.deepEqual([stream.rstCode, hasEnded], [constants.NGHTTP2_INTERNAL_ERROR, false])
      assert.equal((await record()).code, 'upstream_reset')
      const other = textOf(ask(session))
      ;(await provider.next()).sse([whole]).end()
      assert.equal(await within(other, 'another answer'), whole)
    })
  }

  test('never forwards pseudo-headers, and takes the authority as the host', async (t) => {
    const options = { forwardHeaders: () => true, proxy: { changeOrigin: false } }
    const { provider, handle, record } = await handlerFor(t, (call) => call.json(200, {}), options)
    const session = await overHttp2(t, handle)
    const request = session.request({ ':path': '/v1/models', ':authority': 'app.example', 'x-mine': '1' }).resume()
    const { headers, req } = await provider.next()
    assert.deepEqual([headers.host, headers['x-mine']], ['app.example', '1'])
    assert.ok(!req.rawHeaders.some((name) => name.startsWith(':')))
    await once(request, 'end')
    assert.equal((await record()).outcome, 'completed')
  })

  test('delivers everything to a client that reads late', async (t) => {
    const event = `data: ${'x'.repeat(100_000)}\n\n`
    const { provider, handle, record } = await handlerFor(t)
    const session = await overHttp2(t, handle)
    const stream = ask(session)
    const call = (await provider.next()).sse()
    for (let count = 0; count < 30; count++) call.send(event)
    call.end(openai.terminator)
    await within(once(stream, 'response'), 'the head')
    const text = await within(textOf(stream), 'the answer', 20_000)
    assert.equal(text.length, event.length * 30 + openai.terminator.length)
    assert.equal((await record()).outcome, 'completed')
  })
})

/** What serverless adapters make: a response on a socket that is none, which never closes and never says that it finished. */
function adapted(url: string) {
  const req = new IncomingMessage({ destroyed: false } as Socket)
  Object.assign(req, { method: 'POST', url, complete: true })
  req._read = () => {
    req.push(body)
    req.push(null)
  }
  req.headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
  const res = new ServerResponse(req)
  const written: string[] = []
  const write = (data: Buffer | string, encoding: unknown, done?: () => void) => {
    written.push(data.toString())
    if (typeof encoding === 'function') encoding()
    else done?.()
    return true
  }
  const socket = { writable: true, on() {}, removeListener() {}, destroy() {}, cork() {}, uncork() {}, write }
  res.assignSocket(Object.assign(new EventEmitter(), { _writableState: {} }, socket) as unknown as Socket)
  return { req, res, written }
}

describe('on a serverless adapter', () => {
  for (const [what, { act, text, outcome = 'completed' }] of Object.entries(answers)) {
    test(`${what}: ends as ${outcome} once it is written`, async (t) => {
      const { proxy, handle, record } = await handlerFor(t, act)
      const { req, res, written } = adapted(openai.path)
      const finished = once(res, 'finish')
      handle(req, res)
      await within(finished, 'the end of the response')
      assert.ok(written.join('').includes(text.slice(-1000)))
      assert.equal((await record()).outcome, outcome)
      assertAllGone(proxy)
      assert.deepEqual([res.listenerCount('close'), res.listenerCount('drain')], [0, 0])
    })
  }
})
