import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import { type Call, startProvider } from '../support/provider.js'
import { ANSWER, answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { until, within } from '../support/waiting.js'

const ask = (url: string) => within(post(url + openai.path, openai.request), 'the answer')
const hedge = { afterMs: 1 }
const ERROR = `data: ${JSON.stringify({ error: { message: 'Overloaded', type: 'server_error', code: null } })}\n\n`

describe('if no content comes for a while, the next target is asked, too, and', () => {
  test('its content wins: the first attempt is aborted, and the record says so', async (t) => {
    const { a, app } = await startPair(t, (call) => call.sse([ROLE]), answer, { hedge })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    await a.calls[0]!.gone
    const record = await app.record()
    assert.deepEqual(
      record.attempts.map(({ target, code, hedged }) => [target, code, hedged]),
      [
        ['a', 'outrun', false],
        ['b', undefined, true],
      ],
    )
    assert.deepEqual([record.target, record.outcome, record.attempts[0]!.firstTokenMs], ['b', 'completed', undefined])
    assert.ok(record.attempts[1]!.firstTokenMs! >= 0)
    // It was slower, and has not failed.
    assert.deepEqual(
      app.proxy.stats().targets.map(({ failures, inFlight, coolingUntil }) => [failures, inFlight, coolingUntil]),
      [
        [0, 0, undefined],
        [0, 0, undefined],
      ],
    )
  })

  test('the first one may still win: the second is aborted before another byte of it is read', async (t) => {
    const { a, b, app } = await startPair(t, undefined, (call) => call.sse([ROLE]), { hedge })
    const response = ask(app.url)
    const first = await a.next()
    const second = await b.next()
    await until(() => second.res.writableLength === 0, 'the second has sent its beginning')
    answer(first)
    assert.equal(await (await response).text(), ANSWER)
    await second.gone
    assert.deepEqual(attemptsOf(await app.record()), ['a', 'b outrun'])
  })

  test('if one fails, the other answers, and nobody is asked again', async (t) => {
    const { a, b, app } = await startPair(t, undefined, () => {}, { hedge })
    const response = ask(app.url)
    const first = await a.next()
    const second = await b.next()
    refuse(500)(first)
    await until(() => app.proxy.stats().targets[0]?.failures === 1, 'the first has failed')
    answer(second)
    assert.equal(await (await response).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a 500', 'b'])
    assert.equal(a.calls.length, 1)
  })

  test('if both fail, the client gets the first error', async (t) => {
    const { a, b, app } = await startPair(t, undefined, () => {}, { hedge, retry: { attempts: 2 } })
    const response = ask(app.url)
    const [first, second] = [await a.next(), await b.next()]
    refuse(503, 'the later one')(second)
    await until(() => app.proxy.stats().targets[1]?.failures === 1, 'the second has failed')
    refuse(500, 'the earlier one')(first)
    const { status } = await response
    assert.equal(status, 503)
    assert.match(await (await response).text(), /the later one/)
    assert.deepEqual(attemptsOf(await app.record()), ['a 500', 'b 503'])
  })

  test('with `max: 2` a third one', async (t) => {
    const c = await startProvider(t, { onCall: answer })
    const { a, b, app } = await startPair(t, undefined, () => {}, {
      hedge: { afterMs: 1, max: 2 },
      more: [{ name: 'c', target: c.url, priority: 2 }],
    })
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a outrun', 'b outrun', 'c'])
    await Promise.all([a, b].map(({ calls }) => calls[0]!.gone))
  })
})

test('with `fastest`, a target that hangs comes last from then on', async (t) => {
  // 2 % of the requests are probes. The middleware takes the function when it is made.
  t.mock.method(Math, 'random', () => 0.5)
  const { app } = await startPair(t, () => {}, answer, {
    hedge: { afterMs: 100 },
    balance: 'fastest',
    ofB: { priority: 0 },
  })
  for (const first of ['a', 'b']) {
    assert.equal(await (await ask(app.url)).text(), ANSWER)
    assert.equal((await app.record()).attempts[0]!.target, first)
  }
  assert.equal(app.proxy.stats().targets[0]!.samples, 1)
})

test('a target that answers in time is not hedged', async (t) => {
  const { b, app } = await startPair(t, answer, answer, { hedge: { afterMs: 60_000 } })
  assert.equal(await (await ask(app.url)).text(), ANSWER)
  assert.deepEqual([attemptsOf(await app.record()), b.calls.length], [['a'], 0])
})

test('both attempts are aborted if the client leaves', async (t) => {
  const { a, b, app } = await startPair(t, undefined, () => {}, { hedge })
  const leaving = new AbortController()
  const response = post(app.url + openai.path, openai.request, { signal: leaving.signal })
  const calls: Call[] = [await a.next(), await b.next()]
  leaving.abort()
  await assert.rejects(response)
  await Promise.all(calls.map(({ gone }) => gone))
  const record = await app.record()
  assert.deepEqual([record.outcome, attemptsOf(record)], ['client_disconnect', ['a abandoned', 'b abandoned']])
  assert.deepEqual(
    app.proxy.stats().targets.map(({ inFlight }) => inFlight),
    [0, 0],
  )
})

describe('the first content wins, not the first answer', () => {
  const events = {
    'a beginning, then an error': (call: Call) => call.sse([ROLE, ERROR]).end(),
    'a beginning, then a reset': (call: Call) => call.sse([ROLE]).res.write(': ping\n\n', () => call.reset()),
    'a beginning, then silence': (call: Call) => call.sse([ROLE]),
    'comments alone': (call: Call) => call.sse([': ping\n\n']),
    400: refuse(400),
    404: refuse(404),
    'a redirect': (call: Call) => call.res.writeHead(302, { location: '/elsewhere' }).end(),
    204: (call: Call) => call.res.writeHead(204).end(),
    'a page': (call: Call) => call.res.writeHead(200, { 'content-type': 'text/html' }).end('<html>x</html>'),
  }
  for (const [what, act] of Object.entries(events)) {
    for (const attempts of [2, 3]) {
      test(`if the second attempt of ${attempts} has ${what}, the first one answers`, async (t) => {
        const { a, b, app } = await startPair(t, undefined, () => {}, {
          hedge,
          retry: { attempts, preamble: { ms: 20 } },
        })
        const response = ask(app.url)
        const first = (await a.next()).sse([ROLE])
        const second = await b.next()
        act(second)
        // What the second one has sent is there before the first one goes on.
        await until(() => second.res.writableLength === 0 || second.socket.destroyed, 'the second has answered')
        await wait(60)
        first.send(ANSWER)
        first.end()
        const { status, text } = await response.then(async (each) => ({ status: each.status, text: await each.text() }))
        assert.equal(status, 200)
        assert.equal(text.replace(/^(?::[^\n]*\n\n)+/, ''), ROLE + ANSWER)
        assert.equal((await app.record()).target, 'a')
      })
    }
  }

  test('an answer without content goes out if the other attempt fails', async (t) => {
    const page = (call: Call) => call.res.writeHead(200, { 'content-type': 'application/pdf' }).end('%PDF')
    const { a, b, app } = await startPair(t, undefined, page, { hedge, retry: { attempts: 2 } })
    const response = ask(app.url)
    const first = await a.next()
    await b.next()
    refuse(503)(first)
    assert.equal(await (await response).text(), '%PDF')
    assert.equal((await app.record()).target, 'b')
  })

  test('a beginning does not end the wait for content, after which the next target is asked', async (t) => {
    const { app } = await startPair(t, (call) => call.sse([ROLE]), answer, {
      hedge: { afterMs: 80 },
      retry: { preamble: { ms: 5 } },
    })
    assert.equal((await (await ask(app.url)).text()).replace(/^(?::[^\n]*\n\n)+/, ''), ANSWER)
    assert.deepEqual(attemptsOf(await app.record()), ['a outrun', 'b'])
  })
})
