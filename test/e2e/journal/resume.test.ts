import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { AiProxyOptions } from '../../../lib/index.js'
import { MISSING } from '../../../lib/journal/missing-page.js'
import { memoryJournal } from '../../../lib/journal.js'
import { startApp } from '../support/app.js'
import { Events, post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'
import { changedJournal, idOf, withoutId } from './support.js'

const { path, request, events, terminator } = openai
const all = [...events, terminator]

const who = (req: { headers: Record<string, unknown> }) => (req.headers['x-user'] as string | undefined) ?? 'ada'

async function started(t: TestContext, given: Partial<AiProxyOptions> = {}, resume: object = {}) {
  const provider = await startProvider(t)
  const app = await startApp(t, {
    target: provider.url,
    resume: { journal: memoryJournal(), who, ...resume },
    ...given,
  } as AiProxyOptions)
  return { provider, app }
}

/** Reads a stream until it has seen so many events, and leaves. */
async function readAndLeave(url: string, count: number, call: () => Promise<Call>) {
  const leave = new AbortController()
  const asked = post(url + path, request, { signal: leave.signal })
  const upstream = await call()
  upstream.sse(events.slice(0, count))
  const response = await asked
  const reader = new Events(response)
  const seen: string[] = []
  while (seen.length < count) seen.push((await reader.next()) ?? assert.fail('the stream ended'))
  leave.abort()
  return { seen, upstream, id: response.headers.get('x-stream-id')!, at: response.headers.get('x-stream-url')! }
}

function continued(appUrl: string, at: string, headers: Record<string, string>): Promise<Response> {
  return fetch(new URL(at, appUrl), { headers })
}

describe('resume', () => {
  test('each event gets an id in front of the provider’s bytes, and the head says where to continue', async (t) => {
    const { provider, app } = await started(t)
    const asked = post(app.url + path, request)
    ;(await provider.next()).sse(events).end(terminator)
    const response = await asked
    const id = response.headers.get('x-stream-id') ?? ''
    assert.match(id, /^[\w-]{22}$/)
    assert.equal(response.headers.get('x-stream-url'), `/ai/-/streams/${id}`)
    const got = await new Events(response).rest()
    assert.deepEqual(got.map(withoutId), all)
    const epoch = idOf(got[0]!).split('.')[0]
    assert.deepEqual(
      got.map(idOf),
      all.map((_, at) => `${epoch}.${at + 1}`),
    )
  })

  test('a client that comes back goes on where it was, then live', async (t) => {
    const { provider, app } = await started(t)
    const { seen, upstream, id, at } = await readAndLeave(app.url, 2, () => provider.next())
    const response = await continued(app.url, at, { 'last-event-id': idOf(seen[1]!) })
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('x-stream-id'), id)
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
    const reader = new Events(response)
    upstream.send(events[2]!)
    assert.equal(withoutId((await reader.next())!), events[2])
    for (const event of events.slice(3)) upstream.send(event)
    upstream.end(terminator)
    const got = await reader.rest()
    assert.deepEqual([...seen, `x${events[2]}`, ...got].length, all.length)
    assert.deepEqual(got.map(withoutId), all.slice(3))
    assert.equal(idOf(got.at(-1)!), idOf(seen[0]!).replace('.1', `.${all.length}`))
  })

  test('what is over and read to its end is 204', async (t) => {
    const { provider, app } = await started(t)
    const { seen, upstream, at } = await readAndLeave(app.url, 2, () => provider.next())
    for (const event of events.slice(2)) upstream.send(event)
    upstream.end(terminator)
    await app.record()
    const epoch = idOf(seen[0]!).split('.')[0]
    const last = await continued(app.url, at, { 'last-event-id': `${epoch}.${all.length}` })
    assert.equal(last.status, 204)
    const whole = await continued(app.url, `${at}?after=0`, {})
    assert.deepEqual((await new Events(whole).rest()).map(withoutId), all)
  })

  test('another subject gets 404, another epoch 410, nonsense 400', async (t) => {
    const { provider, app } = await started(t)
    const { at, upstream } = await readAndLeave(app.url, 2, () => provider.next())
    assert.equal((await continued(app.url, at, { 'x-user': 'eve' })).status, 404)
    const gone = await continued(app.url, at, { 'last-event-id': 'AAAAAAAA.1' })
    assert.equal(gone.status, 410)
    assert.equal(((await gone.json()) as { error: { code: string } }).error.code, 'resume_gone')
    assert.equal((await continued(app.url, at, { 'last-event-id': 'what' })).status, 400)
    assert.equal((await continued(app.url, '/ai/-/streams/..%2f', {})).status, 404)
    assert.equal((await continued(app.url, '/ai/-/streams/AAAAAAAAAAAAAAAAAAAAAA', {})).status, 404)
    upstream.end()
  })

  test('DELETE stops the provider, and a lost connection does not', async (t) => {
    const { provider, app } = await started(t)
    const { at, upstream } = await readAndLeave(app.url, 2, () => provider.next())
    const response = await continued(app.url, at, {})
    assert.equal((await fetch(new URL(at, app.url), { method: 'DELETE', headers: { 'x-user': 'eve' } })).status, 404)
    assert.equal(upstream.socket.destroyed, false)
    assert.equal((await fetch(new URL(at, app.url), { method: 'DELETE' })).status, 204)
    await upstream.gone
    const got = await new Events(response).rest()
    assert.match(got.at(-1)!, /"code":"aborted"/)
  })

  test('the provider stops when nobody has read for the grace', async (t) => {
    const { provider, app } = await started(t, {}, { graceMs: 20 })
    const { at, upstream } = await readAndLeave(app.url, 2, () => provider.next())
    await upstream.gone
    const record = await app.record()
    assert.equal(record.outcome, 'client_disconnect')
    const late = await new Events(await continued(app.url, at, {})).rest()
    assert.match(late.at(-1)!, /"code":"aborted"/)
    assert.deepEqual(late.slice(0, -1).map(withoutId), events.slice(0, 2))
  })

  test('whoever continues an answer that ended with its client is told so', async (t) => {
    const { provider, app } = await started(t, { onClientDisconnect: 'abort' })
    const { at, seen, upstream } = await readAndLeave(app.url, 2, () => provider.next())
    await upstream.gone
    const { outcome, code } = await app.record()
    assert.deepEqual([outcome, code], ['client_disconnect', undefined])
    const late = await new Events(await continued(app.url, at, { 'last-event-id': idOf(seen.at(-1)!) })).rest()
    assert.equal(late.length, 1)
    assert.match(late[0]!, /"code":"aborted"/)
    const again = await app.record()
    assert.deepEqual([again.outcome, again.code], ['rejected', 'aborted'])
    assert.equal((await continued(app.url, at, { 'last-event-id': idOf(late[0]!) })).status, 204)
  })

  for (const [what, end] of [
    ['last event', `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`],
    ['terminator', terminator],
  ] as const) {
    test(`nothing follows the ${what} of an answer whose client left before its provider did`, async (t) => {
      const { provider, app } = await started(t, { onClientDisconnect: 'abort' })
      const leave = new AbortController()
      const asked = post(app.url + path, request, { signal: leave.signal })
      const upstream = await provider.next()
      upstream.sse([...events, end])
      const response = await asked
      const reader = new Events(response)
      for (const _ of [...events, end]) await reader.next()
      leave.abort()
      await upstream.gone
      const late = await new Events(await continued(app.url, response.headers.get('x-stream-url')!, {})).rest()
      assert.deepEqual(late.map(withoutId), [...events, end])
    })
  }
})

describe('a store that another process writes to', () => {
  /** A store in which an entry is missing for as many looks as `looks` says. */
  const lagging = (looks: { left: number }) =>
    changedJournal((memory) => ({
      read: async (...of) => (looks.left-- > 0 ? MISSING : memory.read(...of)),
    })).journal

  for (const method of ['GET', 'HEAD', 'DELETE']) {
    test(`may have a stream later than the client has its id: ${method}`, async (t) => {
      const looks = { left: 0 }
      const { provider, app } = await started(t, {}, { journal: lagging(looks) })
      const { at, upstream } = await readAndLeave(app.url, 1, () => provider.next())
      looks.left = 2
      const { status } = await fetch(new URL(at, app.url), { method })
      assert.equal(status, method === 'DELETE' ? 204 : 200)
      upstream.end(terminator)
    })
  }

  test('is not asked for ever', async (t) => {
    const looks = { left: Number.POSITIVE_INFINITY }
    const { app } = await started(t, {}, { journal: lagging(looks) })
    assert.equal((await continued(app.url, '/ai/-/streams/AAAAAAAAAAAAAAAAAAAAAA', {})).status, 404)
  })
})

describe('ids of the provider’s own', () => {
  for (const [what, eventOf] of [
    ['in front of the data', (n: number) => `id: own-${n}\ndata: {"n":${n}}\n\n`],
    ['after the data', (n: number) => `data: {"n":${n}}\nid: own-${n}\n\n`],
    ['after the name, with CRLF', (n: number) => `event: tick\r\nid: own-${n}\r\ndata: {"n":${n}}\r\n\r\n`],
    ['after the data, with CR alone', (n: number) => `data: {"n":${n}}\rid: own-${n}\r\r`],
    ['only in later events', (n: number) => `data: {"n":${n}}\n${n > 3 ? `id: own-${n}\n` : ''}\n`],
  ] as const) {
    test(`${what}: ours take their place`, async (t) => {
      const { provider, app } = await started(t)
      const sent = Array.from({ length: 6 }, (_, n) => eventOf(n))
      const asked = post(app.url + path, request)
      const call = await provider.next()
      call.sse(sent).end(terminator)
      const text = await (await asked).text()
      assert.doesNotMatch(text, /own-/)
      assert.deepEqual(
        [...text.matchAll(/^id: \S+\.(\d+)[\r]?$/gm)].map(([, n]) => Number(n)),
        [1, 2, 3, 4, 5, 6, 7],
      )
      assert.deepEqual(
        [...text.matchAll(/\{"n":(\d)\}/g)].map(([, n]) => Number(n)),
        [0, 1, 2, 3, 4, 5],
      )
    })
  }
})
