import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type AiProxyOptions, type HookedAnswer, type OnAnswer, withText } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { assertLeft } from './support/disconnect.js'
import { openai } from './support/protocols.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { Queue, within } from './support/waiting.js'

const { path, request } = openai
const plain = { model: 'm', messages: [] }
const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 }
const choices = [{ index: 0, message: { role: 'assistant', content: 'my secret is 42' }, finish_reason: 'stop' }]
const completion = { id: 'c1', object: 'chat.completion', created: 1, model: 'm-1', choices, usage }
/** Spelled as no `JSON.stringify` would. */
const spelled = JSON.stringify(completion, undefined, 1).replace('"created": 1', '"created": 1.0')

const redact: OnAnswer = ({ format, body }) => {
  const message = { format, data: body }
  const changed = withText(message, (text) => text.replace('42', '[number]'))
  return changed === message ? undefined : { body: changed.data }
}

/** Sends a request to a provider that answers like this, through a hook. */
async function through(
  t: Owner,
  onAnswer: OnAnswer,
  answer: (call: Call) => unknown,
  { body = plain, ...options }: Partial<AiProxyOptions> & { body?: object } = {},
) {
  const errors: unknown[] = []
  const provider = await startProvider(t, { onCall: answer })
  const onError = (error: unknown) => void errors.push(error)
  const app = await startApp(t, { target: provider.url, onAnswer, onError, ...options })
  const response = await within(post(app.url + path, body), 'the answer')
  const text = await within(response.text(), 'its body')
  return { app, errors, response, text, record: await app.record() }
}

const head = { 'content-type': 'application/json' }
const sends =
  (status: number, bytes: string | Buffer, headers: Record<string, string> = head) =>
  (call: Call) =>
    void call.res.writeHead(status, headers).end(bytes)

describe('onAnswer', () => {
  test('sees an answer, which passes byte for byte if it returns nothing', async (t) => {
    const seen: HookedAnswer[] = []
    const { response, text, record } = await through(t, (answer) => void seen.push(answer), sends(200, spelled))
    assert.deepEqual(seen, [{ format: 'openai-chat', status: 200, body: completion }])
    assert.equal(text, spelled)
    assert.equal(response.headers.get('content-length'), String(spelled.length))
    assert.equal(record.outcome, 'completed')
    assert.equal(record.tokens?.total, 8)
  })

  for (const isAsync of [false, true]) {
    test(`replaces its JSON, ${isAsync ? 'async' : 'sync'}; the provider’s answer is metered`, async (t) => {
      const hook: OnAnswer = isAsync ? async (...given) => redact(...given) : redact
      const digests = { 'content-digest': 'sha-256=:x:', etag: '"a"', 'accept-ranges': 'bytes', 'content-md5': 'x' }
      const { response, text, record } = await through(t, hook, sends(200, spelled, { ...head, ...digests }))
      const body = JSON.parse(text)
      assert.equal(body.choices[0].message.content, 'my secret is [number]')
      assert.deepEqual({ ...body, choices }, completion)
      assert.equal(response.headers.get('content-length'), String(text.length))
      for (const name of Object.keys(digests)) assert.equal(response.headers.get(name), null)
      assert.deepEqual([record.responseModel, record.tokens?.total], ['m-1', 8])
    })
  }

  test('gets a compressed answer decoded', async (t) => {
    const { response, text } = await through(
      t,
      redact,
      sends(200, gzipSync(spelled), { ...head, 'content-encoding': 'gzip' }),
    )
    assert.match(text, /\[number\]/)
    assert.equal(response.headers.get('content-encoding'), null)
  })

  for (const type of ['application/json', 'text/plain']) {
    test(`sees the provider’s errors, as ${type}`, async (t) => {
      const hook: OnAnswer = ({ status, body }) => ({ body: { error: { message: `${status}`, was: body } } })
      const bytes = '{"error":{"message":"no credit"}}'
      const { response, text, record } = await through(t, hook, sends(429, bytes, { 'content-type': type }), {
        body: request,
      })
      assert.equal(response.status, 429)
      assert.equal(text, `{"error":{"message":"429","was":${bytes}}}`)
      assert.deepEqual([record.outcome, record.code], ['provider_error', undefined])
    })
  }

  test('sees a JSON answer to a request for a stream', async (t) => {
    const { text } = await through(t, redact, sends(200, spelled), { body: request })
    assert.match(text, /\[number\]/)
  })

  test('sends its replacement as an event after heartbeat.beforeFirstByte', async (t) => {
    const heartbeat = { beforeFirstByte: true }
    const { text } = await through(t, redact, sends(200, spelled), { body: request, heartbeat })
    assert.match(text, /^:.*\n\ndata: \{.*\[number\].*\}\n\n$/)
  })

  const unseen: readonly [string, (call: Call) => unknown, object?, string[]?][] = [
    ['a stream', (call) => call.sse(openai.events).end(openai.terminator), request],
    ['a text', sends(200, '{ not JSON }', { 'content-type': 'text/plain' })],
    ['an error page', sends(502, '<h1>', { 'content-type': 'text/plain' })],
    ['bytes', sends(200, '{}', { 'content-type': 'audio/mpeg' })],
    ['nothing', sends(200, ''), plain, ['upstream_error']],
    ['no content', sends(204, '')],
  ]
  for (const [what, answer, body = plain, outcomes = ['completed', 'provider_error']] of unseen) {
    test(`does not see ${what}`, async (t) => {
      const { record, errors } = await through(t, () => assert.fail('seen'), answer, { body })
      assert.deepEqual(errors, [])
      assert.ok(outcomes.includes(record.outcome), record.outcome)
    })
  }

  const unreadable: readonly [string, (call: Call) => unknown][] = [
    ['a body labelled as JSON that is not', sends(200, 'my secret is 42')],
    ['half of a JSON body', sends(500, '{"secret":42')],
    ['values nested too deeply', sends(200, `${'['.repeat(40_000)}${']'.repeat(40_000)}`)],
    [
      'values nested too deeply, compressed',
      sends(200, gzipSync(`${'['.repeat(40_000)}${']'.repeat(40_000)}`), { ...head, 'content-encoding': 'gzip' }),
    ],
    ['more objects than memory should hold', sends(200, `[${'{},'.repeat(2_200_000)}{}]`)],
    ['an encoding that cannot be read', sends(200, '42', { ...head, 'content-encoding': 'zstd' })],
  ]
  for (const [what, answer] of unreadable) {
    test(`fails with 502 if it cannot see the answer: ${what}`, async (t) => {
      const { response, text, record } = await through(t, redact, answer)
      assert.equal(response.status, 502)
      assert.doesNotMatch(text, /42/)
      assert.equal(record.outcome, 'upstream_error')
    })
  }

  test('fails with 502 if the answer is longer than limits.maxEventBytes', async (t) => {
    const limits = { maxEventBytes: 100 }
    const { response, record } = await through(t, redact, sends(200, spelled), { limits })
    assert.deepEqual([response.status, record.code], [502, 'event_too_large'])
  })

  test('gets a long answer, which is parsed in turns, whole', async (t) => {
    const data = Array.from({ length: 2000 }, (_, index) => ({ index, embedding: Array(40).fill(0.5) }))
    const bytes = JSON.stringify({ object: 'list', data })
    const hook: OnAnswer = ({ body }) => ({ body: { ...(body as object), object: 'seen' } })
    const { text } = await through(t, hook, sends(200, bytes))
    assert.equal(text, JSON.stringify({ object: 'seen', data }))
  })

  test('answers with an error that it throws with a status', async (t) => {
    const hook: OnAnswer = async () => {
      throw Object.assign(new Error('Not for you'), { status: 403 })
    }
    const { response, text, errors } = await through(t, hook, sends(200, spelled))
    assert.equal(response.status, 403)
    assert.equal(openai.errorIn(JSON.parse(text)).message, 'Not for you')
    assert.deepEqual(errors, [])
  })

  test('answers with 500 if it throws on an error that the provider sent with status 200', async (t) => {
    const hook: OnAnswer = () => assert.fail('a fault')
    const { response } = await through(t, hook, sends(200, '{"error":{"message":"x"}}'))
    assert.equal(response.status, 500)
  })

  const circular: Record<string, unknown> = {}
  circular.itself = circular
  const faults: readonly [string, OnAnswer][] = [
    ['throws', () => assert.fail('a fault')],
    ['rejects', async () => assert.fail('a fault')],
    ['returns a string', () => 'x' as never],
    ['returns null', () => null as never],
    ['returns no body', () => ({}) as never],
    ['returns a circular body', () => ({ body: circular })],
  ]
  for (const [what, hook] of faults) {
    test(`${what}: 500 without any of the answer, and onError is called`, async (t) => {
      const { response, text, errors, record } = await through(t, hook, sends(200, spelled))
      assert.equal(response.status, 500)
      assert.doesNotMatch(text, /42/)
      assert.equal(errors.length, 1)
      assert.equal(record.code, 'internal_error')
    })
  }

  for (const onClientDisconnect of ['abort', 'drain'] as const) {
    test(`ends with the exchange if the client leaves meanwhile (${onClientDisconnect})`, async (t) => {
      const asked = new Queue<AbortSignal>('the hook')
      const provider = await startProvider(t, { onCall: sends(200, spelled) })
      const app = await startApp(t, {
        target: provider.url,
        onClientDisconnect,
        onAnswer: async (_answer, { signal }) => {
          asked.push(signal)
          await once(signal, 'abort')
          return { body: 'late' }
        },
      })
      const client = (await connect(t, app.port)).post(`/ai${path}`, plain)
      await asked.next()
      client.leave()
      await assertLeft(app, { upstreamBytes: spelled.length, downstreamBytes: 0 })
    })
  }

  test('is not awaited without bound', async (t) => {
    const limits = { firstByteTimeoutMs: 50 }
    const { response } = await through(t, () => new Promise(() => {}), sends(200, spelled), { limits })
    assert.equal(response.status, 504)
  })

  test('does not get our secrets, and neither does the client', async (t) => {
    const seen: HookedAnswer[] = []
    const auth = { headers: { authorization: 'Bearer sk-secret-0123456789' } }
    const hook: OnAnswer = (answer) => void seen.push(answer)
    const bytes = '{"error":{"message":"wrong key sk-secret-0123456789"}}'
    const { text } = await through(t, hook, sends(401, bytes), { auth })
    assert.doesNotMatch(text + JSON.stringify(seen), /sk-secret/)
  })

  test('does not reveal a secret whose spelling is not searched for', async (t) => {
    const auth = { headers: { authorization: 'Bearer sk-secret-0123456789' } }
    const hook: OnAnswer = ({ body }) => ({ body })
    const bytes = '{"error":{"message":"\\u0073k-\\u0073ecret-0123456789"}}'
    const { text } = await through(t, hook, sends(401, bytes), { auth })
    assert.deepEqual(JSON.parse(text), { error: { message: '*'.repeat(20) } })
  })
})
