import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { allStreams } from './support/streams.js'
import { ANSWER, attemptsOf, startPair } from './support/targets.js'
import { until, within } from './support/waiting.js'

const PAGE = '<!DOCTYPE html>\n<html><body>Sign in to the hotel’s network</body></html>'

const sends =
  (body: string, headers: Record<string, string> = {}, status = 200) =>
  (call: Call) =>
    call.res.writeHead(status, headers).end(body)

/** Sends each piece once the one before has left. */
const inPieces =
  (pieces: readonly string[]) =>
  async ({ res }: Call) => {
    res.writeHead(200, JSON_TYPE)
    for (const piece of pieces) await new Promise((resolve) => res.write(piece, resolve))
    res.end()
  }

const JSON_TYPE = { 'content-type': 'application/json' }

/** What is no answer: what comes, and the code that it has. */
const none: Readonly<Record<string, [act: (call: Call) => unknown, code: string]>> = {
  'nothing, by its length': [sends('', { ...JSON_TYPE, 'content-length': '0' }), 'upstream_truncated'],
  'nothing, without a label': [sends(''), 'upstream_truncated'],
  'nothing, later than its head': [
    (call) => {
      call.res.writeHead(200, JSON_TYPE).flushHeaders()
      // The head has left.
      call.socket.write('', () => call.end())
    },
    'upstream_truncated',
  ],
  blanks: [sends('\n\n \n', JSON_TYPE), 'upstream_truncated'],
  'a page': [sends(PAGE, { 'content-type': 'text/html' }), 'upstream_error'],
  'a page without a label': [sends(PAGE), 'upstream_error'],
  'a page labelled as JSON': [sends(`\uFEFF\r\n${PAGE}`, JSON_TYPE), 'upstream_error'],
  'a page byte by byte': [inPieces([...PAGE]), 'upstream_error'],
  'the first byte of a page': [sends('<', JSON_TYPE), 'upstream_error'],
  'JSON that is not compressed as its label says': [
    sends('{"id":"a"}', { ...JSON_TYPE, 'content-encoding': 'gzip' }),
    'upstream_reset',
  ],
}

async function asked(t: Owner, act: (call: Call) => unknown, path: string, body: unknown, options = {}) {
  const provider = await startProvider(t, { onCall: act })
  const app = await startApp(t, { target: provider.url, endpoints: 'all', ...options })
  const response = await post(app.url + path, body)
  const text = await response.text()
  const { outcome, code } = await app.record()
  return { status: response.status, text, outcome, code }
}

describe('a request to a model that is answered with status 200 and', () => {
  for (const [what, [act, code]] of Object.entries(none)) {
    for (const stream of [true, false]) {
      const body = { ...openai.request, stream }
      const name = stream ? 'a stream' : 'JSON'

      test(`${what} has failed: ${name}`, async (t) => {
        const got = await asked(t, act, openai.path, body)
        assert.equal(openai.errorIn(JSON.parse(got.text)).code, code)
        assert.deepEqual([got.status, got.outcome, got.code], [502, 'upstream_error', code])
      })

      test(`${what} is tried again elsewhere: ${name}`, async (t) => {
        const { app } = await startPair(t, act)
        assert.equal(await (await post(app.url + openai.path, body)).text(), ANSWER)
        const record = await app.record()
        assert.deepEqual([record.outcome, attemptsOf(record)], ['completed', [`a ${code}`, `a ${code}`, 'b']])
        assert.equal(app.proxy.stats().targets[0]?.failures, 2)
      })
    }
  }

  for (const { name, path } of allStreams) {
    test(`a page has failed, in its protocol: ${name}`, async (t) => {
      const plain = path
        .replace(/\?.*/, '')
        .replace('streamGenerate', 'generate')
        .replace(/-?(?:with-response-)?stream$/, '')
      const got = await asked(t, sends(PAGE, { 'content-type': 'text/html' }), plain, { model: 'm', stream: false })
      assert.match(got.text, /^\{.*with a page.*\}$/)
      assert.deepEqual([got.status, got.code], [502, 'upstream_error'])
    })
  }

  test('embeddings that are a page have failed', async (t) => {
    const got = await asked(t, sends(PAGE, { 'content-type': 'text/html' }), '/v1/embeddings', {
      model: 'm',
      input: 'a',
    })
    assert.deepEqual([got.status, got.code], [502, 'upstream_error'])
  })

  test('text that begins like a page, but is none, passes as it comes', async (t) => {
    const got = await asked(t, inPieces(['<', '- ', 'read this']), openai.path, { model: 'm' })
    assert.deepEqual([got.status, got.text, got.outcome], [200, '<- read this', 'completed'])
  })

  for (const [what, act, code] of [
    ['nothing', sends('', JSON_TYPE), 'upstream_truncated'],
    ['a page', sends(PAGE, { 'content-type': 'text/html' }), 'upstream_error'],
  ] as const) {
    test(`pictures that are ${what} have failed`, async (t) => {
      const got = await asked(t, act, '/v1/images/generations', { model: 'm', prompt: 'a' })
      assert.deepEqual([got.status, got.code], [502, code])
    })
  }

  test('a page after heartbeats ends with an error event', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
    const events = new Events(await post(app.url + openai.path, openai.request))
    assert.equal(await events.next(), ': heartbeat\n\n')
    sends(PAGE, { 'content-type': 'text/html' })(await provider.next())
    assert.match((await events.rest()).join(''), /^data: \{"error":.*with a page.*\n\n$/)
    assert.equal((await app.record()).code, 'upstream_error')
  })

  test('blanks that have been sent is cut', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(`/ai${openai.path}`, { model: 'm' })
    const call = await provider.next()
    call.res.writeHead(200, JSON_TYPE).write('\n')
    await client.sees('\r\n\r\n1\r\n\n\r\n')
    call.end('\n')
    assert.doesNotMatch(await client.end(), /\r\n0\r\n\r\n$/)
    assert.equal((await app.record()).code, 'upstream_truncated')
  })

  test('a page is not preferred to the error that another target says itself', async (t) => {
    const error = { error: { message: 'out of order', type: 'x', code: null, param: null } }
    const { app } = await startPair(t, sends(PAGE), (call) => call.json(500, error), { retry: { attempts: 2 } })
    const response = await post(app.url + openai.path, openai.request)
    assert.deepEqual([response.status, await response.json()], [500, error])
  })
})

describe('a request for JSON of which only blanks come, for ever,', () => {
  for (const isRouted of [false, true]) {
    test(`ends at maxStreamDurationMs${isRouted ? ', with several targets' : ''}`, async (t) => {
      const provider = await startProvider(t, {
        onCall: ({ res }) => {
          res.writeHead(200, JSON_TYPE)
          const timer = setInterval(() => res.write('\n'), 10)
          res.on('close', () => clearInterval(timer))
        },
      })
      const a = { name: 'a', target: provider.url }
      const options = isRouted ? { targets: [a], retry: { backoffMs: [0, 0] as const } } : { target: a.target }
      const app = await startApp(t, { ...options, limits: { maxStreamDurationMs: 150, idleTimeoutMs: 100 } })
      const answered = post(app.url + openai.path, { model: 'm' }).then((response) => response.text())
      await within(
        answered.catch(() => {}),
        'an end',
      )
      const { outcome, limit, code } = await app.record()
      assert.deepEqual([outcome, limit, code], ['limit_exceeded', 'maxStreamDurationMs', 'stream_too_long'])
      await until(() => provider.calls.every((call) => call.socket.destroyed), 'the provider is left')
    })
  }
})

describe('what may be empty, or a page, passes as it is', () => {
  const custom: Partial<AiProxyOptions> = { format: { name: 'x-acme', readMessage: () => ({}) } }
  const named: Partial<AiProxyOptions> = { format: 'openai-chat' }
  const html = { 'content-type': 'text/html' }
  const chat = openai.path
  const cases: readonly [string, string, string, (call: Call) => unknown, Partial<AiProxyOptions>?][] = [
    ['204', 'POST', chat, sends('', {}, 204)],
    ['202', 'POST', chat, sends('', {}, 202)],
    ['202, with an empty object', 'POST', chat, sends('{}', JSON_TYPE, 202)],
    ['202, with a sentence', 'POST', chat, sends('{"message":"The answer will follow"}', JSON_TYPE, 202)],
    ['HEAD', 'HEAD', '/v1/models', sends('')],
    ['DELETE', 'DELETE', '/v1/responses/resp_1', sends('')],
    ['the end of a task', 'POST', '/v1/responses/resp_1/cancel', sends('')],
    ['a file', 'GET', '/v1/files/f/content', sends(PAGE, html)],
    ['a list', 'GET', '/v1/models', sends(PAGE, html)],
    ['a path that is not known', 'POST', '/v1/render', sends(PAGE, html)],
    ['no speech', 'POST', '/v1/audio/transcriptions', sends('', { 'content-type': 'text/plain' })],
    ['a format of the app', 'POST', chat, sends(PAGE, html), custom],
    ['no speech, in a named format', 'POST', '/v1/audio/transcriptions', sends(''), named],
    ['a path of which only the format is known', 'POST', '/v1/render', sends(PAGE, html), named],
    ['what cannot be decoded', 'POST', chat, sends('<a\n', { ...JSON_TYPE, 'content-encoding': 'x-acme' })],
    ['blanks of what cannot be decoded', 'POST', chat, sends('\n', { ...JSON_TYPE, 'content-encoding': 'x-acme' })],
    ['sound', 'POST', chat, sends('<a\0\0', { 'content-type': 'audio/pcm' })],
    ['a text', 'POST', chat, sends('<3', { 'content-type': 'text/plain' })],
    ['a text that begins later', 'POST', chat, sends('a <html>', { 'content-type': 'text/plain' })],
  ]
  for (const [what, method, path, act, options] of cases) {
    for (const isRouted of [false, true]) {
      test(`${what}: ${method} ${path}${isRouted ? ', with several targets' : ''}`, async (t) => {
        const provider = await startProvider(t, { onCall: act })
        const a = { name: 'a', target: provider.url }
        const targets = [a, { ...a, name: 'b', priority: 1 }]
        const app = await startApp(t, {
          endpoints: 'all',
          ...(isRouted ? { targets } : { target: a.target }),
          ...options,
        })
        const init = method === 'POST' ? { headers: JSON_TYPE, body: '{"model":"m"}' } : {}
        await (await fetch(app.url + path, { method, ...init })).text()
        const { outcome, attempts } = await app.record()
        assert.deepEqual([outcome, attempts.length], ['completed', 1])
      })
    }
  }
})
