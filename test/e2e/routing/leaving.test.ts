import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { post } from '../support/client.js'
import { openai } from '../support/protocols.js'
import type { Call, Owner } from '../support/provider.js'
import { answer, attemptsOf, ROLE, refuse, startPair } from '../support/targets.js'
import { closed, Queue, until } from '../support/waiting.js'

type Options = NonNullable<Parameters<typeof startPair>[3]> & { readonly onB?: (call: Call) => unknown }

/** A client that can leave, of two targets of which the test answers the first. */
async function startLeaving(t: Owner, { onB = answer, ...options }: Options = {}) {
  let departure: Promise<void> | undefined
  const onRequest: Options['onRequest'] = (_, { res }) => {
    departure = closed(res, 'the response')
  }
  const { a, b, app } = await startPair(t, undefined, onB, { onRequest, ...options })
  const leaving = new AbortController()
  const response = post(app.url + openai.path, openai.request, { signal: leaving.signal })
  response.catch(() => {})
  const call = await a.next()
  const leave = async () => {
    leaving.abort()
    await response.then((each) => each.text()).catch(() => {})
    await departure
  }
  /** Nothing is left of the exchange, and nobody else was asked. */
  const assertOver = async (attempts: readonly string[]) => {
    const record = await app.record()
    assert.deepEqual([record.outcome, attemptsOf(record)], ['client_disconnect', attempts])
    const { heldBytes, targets } = app.proxy.stats()
    assert.deepEqual([heldBytes, targets.map(({ inFlight }) => inFlight)], [0, [0, 0]])
    assert.deepEqual(app.proxy.exchanges(), [])
    assert.equal(b.calls.length, 0)
    return record
  }
  return { a, b, app, call, leave, assertOver, response }
}

describe('a client that leaves ends the attempt, and no other begins', () => {
  test('while the target is silent', async (t) => {
    const { call, leave, assertOver } = await startLeaving(t)
    await leave()
    await call.gone
    await assertOver(['a abandoned'])
  })

  test('while the beginning of the answer is held', async (t) => {
    const { app, call, leave, assertOver } = await startLeaving(t)
    call.sse([ROLE])
    await until(() => app.proxy.exchanges()[0]?.phase !== 'connecting', 'the request is sent')
    await leave()
    await call.gone
    await assertOver(['a abandoned'])
  })

  test('while the same target is waited for', async (t) => {
    const { app, call, leave, assertOver } = await startLeaving(t)
    refuse(503, 'later', { 'retry-after': '1' })(call)
    await until(() => app.proxy.stats().targets[0]?.failures === 1, 'the attempt has failed')
    await leave()
    await assertOver(['a 503'])
  })

  test('while the model writes', async (t) => {
    const { call, leave, response, assertOver } = await startLeaving(t)
    call.sse([openai.events[0]])
    await response
    await leave()
    await call.gone
    const record = await assertOver(['a abandoned'])
    assert.equal(record.target, 'a')
  })
})

describe("with `onClientDisconnect: 'drain'`", () => {
  test('the answer is read to its end', async (t) => {
    const { app, call, leave, response } = await startLeaving(t, {
      onClientDisconnect: 'drain',
    })
    call.sse([openai.events[0]])
    await response
    await leave()
    call.send(openai.events[1]).end(openai.terminator)
    const record = await app.record()
    assert.deepEqual([record.outcome, record.target, record.attempts.length], ['client_disconnect', 'a', 1])
  })

  for (const hook of ['onAttempt', 'auth'] as const) {
    test(`nothing goes out once \`${hook}\` has answered`, async (t) => {
      const asked = new Queue<() => void>('a call of the function')
      const wait = () => new Promise<void>((resolve) => asked.push(resolve))
      const { a, app } = await startPair(t, answer, answer, {
        onClientDisconnect: 'drain',
        ...(hook === 'onAttempt' && { onAttempt: wait }),
        ...(hook === 'auth' && { ofA: { auth: { headers: { authorization: () => wait().then(() => 'Bearer k') } } } }),
      })
      const leaving = new AbortController()
      post(app.url + openai.path, openai.request, { signal: leaving.signal }).catch(() => {})
      const goOn = await asked.next()
      leaving.abort()
      const record = await app.record()
      goOn()
      assert.deepEqual([record.outcome, attemptsOf(record)], ['client_disconnect', ['a unprepared']])
      await until(() => app.proxy.stats().heldBytes === 0, 'the body is released')
      assert.deepEqual([a.calls.length, app.proxy.stats().targets[0]?.inFlight], [0, 0])
    })
  }

  test('of two attempts under way, the other is read to its end if one fails', async (t) => {
    const { app, b, call, leave } = await startLeaving(t, {
      onClientDisconnect: 'drain',
      hedge: { afterMs: 1 },
      onB: () => {},
    })
    const other = await b.next()
    await leave()
    call.reset()
    await call.gone
    answer(other)
    const record = await app.record()
    assert.deepEqual([record.outcome, record.target, record.events], ['client_disconnect', 'b', 4])
  })

  test('an answer without content is read to its end if the other attempt fails', async (t) => {
    const { app, b, call, leave } = await startLeaving(t, {
      onClientDisconnect: 'drain',
      hedge: { afterMs: 1 },
      onB: () => {},
    })
    const { res } = await b.next()
    res.writeHead(200, { 'content-type': 'application/pdf' }).end('%PDF')
    await until(() => res.writableFinished, 'the second has answered')
    await leave()
    call.reset()
    const record = await app.record()
    assert.deepEqual([record.outcome, record.target, record.upstreamBytes], ['client_disconnect', 'b', 4])
  })

  test('a failure while nobody waits leads to no further attempt', async (t) => {
    const { app, b, call, leave } = await startLeaving(t, {
      onClientDisconnect: 'drain',
    })
    await leave()
    call.reset()
    const record = await app.record()
    assert.deepEqual([record.outcome, record.attempts.length, b.calls.length], ['client_disconnect', 1, 0])
  })
})
