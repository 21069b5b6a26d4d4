import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { createGzip } from 'node:zlib'
import compression from 'compression'
import express, { type Express } from 'express'
import { type AiProxyOptions, aiProxy, type Framing, framings } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { listen, startProvider } from './support/provider.js'

interface Mistake {
  code: string
  options?: Partial<AiProxyOptions>
  before?: (app: Express) => void
  server?: { timeout?: number; keepAliveTimeout?: number }
  headers?: Record<string, string>
  body?: string
  /** The `content-type` of the provider's answer. Default: an event stream. */
  answerType?: string
  /** Whether the codec of AWS event streams can be loaded. Default `true`. */
  hasCodec?: boolean
  /** The same without the mistake. */
  mended: Omit<Mistake, 'code' | 'mended'>
}

/** Compresses whatever is written, and holds it back as zlib does. */
function homeMadeCompression(app: Express) {
  app.use((_req, res, next) => {
    const gzip = createGzip()
    const { write, end } = { write: res.write.bind(res), end: res.end.bind(res) }
    const { writeHead } = res
    res.writeHead = ((...args: Parameters<typeof writeHead>) => {
      res.setHeader('content-encoding', 'gzip')
      return writeHead.apply(res, args)
    }) as typeof writeHead
    gzip.on('data', write).on('end', () => end())
    res.write = ((chunk: Buffer) => gzip.write(chunk)) as typeof res.write
    res.end = ((chunk?: Buffer) => {
      gzip.end(chunk)
      return res
    }) as typeof res.end
    next()
  })
}

const forwarded = { 'x-forwarded-for': '10.0.0.1' }
const trusting = (app: Express) => void app.set('trust proxy', 1)
const mistakes: Mistake[] = [
  {
    code: 'AI_PROXY_BODY_CONSUMED',
    before: (app) => app.use((req, _res, next) => void req.on('end', next).resume()),
    headers: { 'content-type': 'text/plain' },
    body: 'lost',
    mended: { before: (app) => app.use(express.json()) },
  },
  {
    code: 'AI_PROXY_CANNOT_FLUSH',
    before: homeMadeCompression,
    mended: { before: (app) => app.use(compression({ threshold: 0 })) },
  },
  {
    code: 'AI_PROXY_SERVER_TIMEOUT',
    server: { timeout: 30_000 },
    mended: {
      options: { heartbeat: { beforeFirstByte: true } },
      server: { timeout: 30_000 },
    },
  },
  {
    code: 'AI_PROXY_SERVER_TIMEOUT',
    options: { heartbeat: false, limits: { firstByteTimeoutMs: 1000 } },
    server: { timeout: 30_000 },
    mended: {
      options: { heartbeat: false, limits: { firstByteTimeoutMs: 1000, idleTimeoutMs: 1000 } },
      server: { timeout: 30_000 },
    },
  },
  {
    code: 'AI_PROXY_NO_EVENTSTREAM_CODEC',
    answerType: framings.awsEventStream.contentType,
    hasCodec: false,
    mended: { answerType: framings.awsEventStream.contentType },
  },
  {
    code: 'AI_PROXY_KEEP_ALIVE',
    before: trusting,
    headers: forwarded,
    mended: {
      before: trusting,
      headers: forwarded,
      server: { keepAliveTimeout: 65_000 },
    },
  },
  {
    code: 'AI_PROXY_TRUST_PROXY',
    server: { keepAliveTimeout: 0 },
    headers: forwarded,
    mended: { server: { keepAliveTimeout: 0 } },
  },
]

/** What is warned of when the same request comes twice. */
async function warned(t: TestContext, given: Omit<Mistake, 'code' | 'mended'>): Promise<unknown[]> {
  const { mock } = t.mock.method(process, 'emitWarning', () => {})
  // The package is installed here.
  const { mock: codec } = t.mock.method(
    framings.awsEventStream as Required<Framing>,
    'isAvailable',
    () => given.hasCodec ?? true,
  )
  const headers = given.answerType ? { 'content-type': given.answerType } : {}
  const provider = await startProvider(t, { onCall: (call) => void call.sse(openai.events, headers).end() })
  const options = { target: provider.url, ...given.options }
  const app = await startApp(t, options, given.before && { before: given.before })
  Object.assign(app.server, given.server)
  for (let time = 0; time < 2; time++) {
    const init = { headers: { 'content-type': 'application/json', ...given.headers } }
    const response = given.body
      ? await fetch(app.url + openai.path, { method: 'POST', body: given.body, ...init })
      : await post(app.url + openai.path, openai.request, init)
    await response.text()
    await app.record()
  }
  for (const {
    arguments: [message, details],
  } of mock.calls) {
    const { code } = details as unknown as { code: string }
    assert.ok(String(message).endsWith(`/docs/troubleshooting.md#${code.toLowerCase()}`), String(message))
  }
  const codes = mock.calls.map(({ arguments: [, details] }) => details as unknown as { type: string; code: string })
  mock.restore()
  codec.restore()
  return codes
}

for (const [at, { code, mended: _, ...mistake }] of mistakes.entries()) {
  for (const warnings of [false, { [code]: false }]) {
    test(`${at + 1}: ${code}, silenced by ${JSON.stringify(warnings)}`, async (t) => {
      assert.deepEqual(await warned(t, { ...mistake, options: { ...mistake.options, warnings } }), [])
    })
  }
}

describe('a setup mistake is reported once, by its code', () => {
  for (const [at, { code, mended, ...mistake }] of mistakes.entries()) {
    test(`${at + 1}: ${code}`, async (t) => {
      assert.deepEqual(await warned(t, mistake), [{ type: 'ExpressAiProxyWarning', code }])
    })
    test(`${at + 1}: ${code}, fixed`, async (t) => {
      assert.deepEqual(await warned(t, mended), [])
    })
  }
})

test('requestTimeout does not cut a stream: it bounds the request only', async (t) => {
  const provider = await startProvider(t)
  const app = express().use('/ai', aiProxy({ target: provider.url }))
  const server = createServer({ requestTimeout: 20, headersTimeout: 20, connectionsCheckingInterval: 5 }, app)
  const port = await listen(t, server)
  const answer = post(`http://127.0.0.1:${port}/ai${openai.path}`, openai.request)
  const call = (await provider.next()).sse()
  const events = new Events(await answer)
  // Node has looked for late requests once it has refused this one, which never ends.
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /ai HTTP/1.1\r\nhost: x\r\n')
  await once(socket.resume(), 'close')
  for (const event of openai.events) call.send(event)
  call.end()
  for (const event of openai.events) assert.equal(await events.next(), event)
})
