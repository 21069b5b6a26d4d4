import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from '../support/app.js'
import { connect, Events, post, type RawClient } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { startProvider } from '../support/provider.js'
import { within } from '../support/waiting.js'
import { withoutId } from './support.js'

const { path, request, terminator } = openai

const EVENTS = 400
const wide = (n: number) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: `${n} ${'x'.repeat(20_000)}` } }] })}\n\n`
const last = `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`

/** Waits for the end of the stream. Megabytes are not searched again with each piece. */
async function ended({ socket }: RawClient): Promise<void> {
  const end = new Promise<void>((resolve) => {
    socket.on('data', (text: string) => text.includes('[DONE]') && resolve())
    socket.resume()
  })
  await within(end, 'the end of the stream')
}

describe('a client that reads slowly', () => {
  test('does not hold up others who read its answer, and gets all of it', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, {
      target: provider.url,
      resume: { who: () => 'ada', maxBytes: 64 * 1024 * 1024 },
    })
    const slow = await connect(t, app.port)
    slow.post(`/ai${path}`, request).pause()
    const call = await provider.next()
    call.sse([wide(0)])
    while (slow.socket.bytesRead === 0) {
      slow.socket.resume()
      await new Promise((resolve) => slow.socket.once('data', resolve))
    }
    slow.pause()
    const url = /x-stream-url: (\S+)/i.exec(slow.text)![1]!
    const events = new Events(await fetch(new URL(url, app.url)))
    for (let n = 1; n < EVENTS; n++) call.send(wide(n))
    call.send(last).end(terminator)
    const got = await events.rest()
    assert.equal(got.length, EVENTS + 2)
    assert.match(got.at(-2)!, /"stop"/)
    // The slow one is still in the middle.
    assert.ok(slow.text.length < (EVENTS * 20_000) / 2)
    await ended(slow)
    const numbers = [...slow.text.matchAll(/"content":"(\d+) /g)].map(([, n]) => Number(n))
    assert.deepEqual(
      [...new Set(numbers)],
      Array.from({ length: EVENTS }, (_, n) => n),
    )
    const ids = [...slow.text.matchAll(/^id: \S+\.(\d+)$/gm)].map(([, n]) => Number(n))
    assert.deepEqual(
      ids,
      Array.from({ length: EVENTS + 2 }, (_, n) => n + 1),
    )
    const records = [await app.record(), await app.record()]
    assert.deepEqual(
      records.map(({ outcome }) => outcome),
      ['completed', 'completed'],
    )
  })

  test('is waited for if nobody else reads', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', maxBytes: 1024 * 1024 } })
    const slow = await connect(t, app.port)
    slow.post(`/ai${path}`, request).pause()
    const call = await provider.next()
    call.sse([])
    let sent = 0
    while (call.res.write(wide(sent++)) || app.proxy.stats().waitingForDrain === 0) await new Promise(setImmediate)
    assert.equal(app.proxy.stats().waitingForDrain, 1)
    call.send(last).end(terminator)
    await ended(slow)
    const numbers = [...slow.text.matchAll(/"content":"(\d+) /g)].map(([, n]) => Number(n))
    assert.deepEqual(
      numbers,
      Array.from({ length: sent }, (_, n) => n),
    )
  })

  for (const [onClientDisconnect, outcome, end] of [
    // A phone in a tunnel closes no connection.
    ['keep', 'client_disconnect', /"stop".*\n\n.*\ndata: \[DONE\]\n\n$/],
    ['abort', 'limit_exceeded', /"code":"slow_client".*\n\n$/],
  ] as const) {
    test(`loses its connection, and may come back: onClientDisconnect ${onClientDisconnect}`, async (t) => {
      const provider = await startProvider(t)
      const resume = { who: () => 'ada', maxBytes: 64 * 1024 * 1024 }
      const limits = { drainTimeoutMs: 50 }
      const app = await startApp(t, { target: provider.url, resume, onClientDisconnect, limits })
      const slow = await connect(t, app.port)
      slow.post(`/ai${path}`, request)
      const call = await provider.next()
      call.sse([wide(0)])
      await slow.sees(/data: /)
      slow.pause()
      // It may have waited, and be lost, between two looks.
      const isLost = () => !['streaming', 'stalled'].includes(app.proxy.exchanges()[0]?.phase ?? '')
      while (!isLost() && (call.res.write(wide(1)) || app.proxy.stats().waitingForDrain === 0))
        await new Promise(setImmediate)
      while (!isLost()) await new Promise(setImmediate)
      if (onClientDisconnect === 'keep') call.send(last).end(terminator)
      const url = /x-stream-url: (\S+)/i.exec(slow.text)![1]!
      const later = await (await fetch(new URL(url, app.url))).text()
      assert.match(later.slice(-1000), end)
      assert.equal((await app.record()).outcome, outcome)
    })
  }
})

test('many readers of one answer have one provider', async (t) => {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada' } })
  const asked = post(app.url + path, request)
  const call = await provider.next()
  call.sse([wide(0)])
  const response = await asked
  const url = new URL(response.headers.get('x-stream-url')!, app.url)
  const readers = await Promise.all(Array.from({ length: 50 }, async () => new Events(await fetch(url))))
  for (let n = 1; n < 5; n++) call.send(wide(n))
  call.send(last).end(terminator)
  for (const reader of [new Events(response), ...readers]) assert.equal((await reader.rest()).length, 7)
  assert.equal(provider.calls.length, 1)
})

test('a slow client that has lost its place is the only one that ends', async (t) => {
  const provider = await startProvider(t)
  // What the slow one has missed will have been trimmed.
  const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', maxBytes: 200_000 } })
  const slow = await connect(t, app.port)
  slow.post(`/ai${path}`, request)
  const call = await provider.next()
  call.sse([wide(0)])
  const url = /x-stream-url: (\S+)/i.exec(await slow.sees('"content":"0 '))![1]!
  slow.pause()
  const events = new Events(await fetch(new URL(url, app.url)))
  assert.match((await events.next())!, /"content":"0 /)
  for (let n = 1; n < EVENTS; n++) {
    call.send(wide(n))
    assert.match((await events.next())!, new RegExp(`"content":"${n} `))
  }
  slow.socket.resume()
  await slow.end()
  assert.doesNotMatch(slow.text, /"stop"/)
  call.send(last).end(terminator)
  const rest = await events.rest()
  assert.deepEqual(
    rest.map((event) => event.replace(/^id: .*\n/, '')),
    [last, terminator],
  )
})

for (const [what, kept] of [
  ['who joins', { cache: { ttlMs: 1e6, scope: () => 'all', maxBytes: 200_000 }, joinIdentical: true }],
  ['who continues', { resume: { who: () => 'ada', maxBytes: 200_000 } }],
] as const) {
  test(`${what} and falls behind by more than is kept gets an error event, and the others go on`, async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, ...kept })
    const asked = post(`${app.url}${path}`, { ...request, temperature: 0 })
    const call = await provider.next()
    call.sse([wide(0)])
    const leader = await asked
    const events = new Events(leader)
    assert.match((await events.next())!, /"content":"0 /)
    const slow = await connect(t, app.port)
    const url = leader.headers.get('x-stream-url')
    if (url === null) slow.post(`/ai${path}`, { ...request, temperature: 0 })
    else slow.request('GET', url)
    await slow.sees('"content":"0 ')
    slow.pause()
    for (let n = 1; n < EVENTS; n++) {
      call.send(wide(n))
      assert.match((await events.next())!, new RegExp(`"content":"${n} `))
    }
    slow.socket.resume()
    // The response ends well for HTTP: what is wrong with it is said in the protocol of the client.
    await slow.sees('\r\n0\r\n\r\n')
    const told = slow.text.slice(slow.text.lastIndexOf('data: ')).split('\n\n')[0]
    assert.equal(openai.errorInEvent(`${told}\n\n`).code, 'resume_gone')
    assert.doesNotMatch(slow.text, /"stop"|\[DONE\]/)
    const record = await app.record()
    assert.deepEqual([record.code, record.outcome], ['resume_gone', 'rejected'])
    call.send(last).end(terminator)
    assert.deepEqual((await events.rest()).map(withoutId), [last, terminator])
    assert.equal(provider.calls.length, 1)
  })
}

test('an event that is too long to be kept passes whole, and ends what can be continued', async (t) => {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, resume: { who: () => 'ada', maxBytes: 400_000 } })
  const huge = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'y'.repeat(900_000) } }] })}\n\n`
  const asked = post(app.url + path, request)
  const call = await provider.next()
  call
    .sse([wide(0), huge, wide(1)])
    .send(last)
    .end(terminator)
  const response = await asked
  const text = (await response.text()).replace(/^id: .*\n/gm, '')
  assert.equal(text, [wide(0), huge, wide(1), last, terminator].join(''))
  assert.equal((await fetch(new URL(response.headers.get('x-stream-url')!, app.url))).status, 410)
})
