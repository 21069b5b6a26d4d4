import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import type { Request, Response } from 'express'
import { type AiProxyError, limitFailure, type Outcome } from '../../lib/api/errors.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { ExchangeRegistry } from '../../lib/exchange/registry.js'
import { defaultLimits } from '../../lib/options/limits.js'
import type { ResponseController } from '../../lib/response/response-controller.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'

function begun(ledger: ExchangeRegistry) {
  const req = { method: 'POST', url: '/v1/responses' } as unknown as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as Response)
  const failures: AiProxyError[] = []
  const log: string[] = []
  const delivery = {
    fail: (failure: AiProxyError) => {
      failures.push(failure)
      log.push(failure.code)
    },
    destroy: () => log.push('destroyed'),
    abort: () => log.push('abort'),
  } as unknown as ResponseController
  ledger.begin(exchange, delivery)
  const end = (outcome: Outcome = 'completed', failure?: AiProxyError) => {
    exchange.settle(outcome, failure)
    ledger.end(exchange, recordOf(exchange))
  }
  return { exchange, log, end }
}

describe('counters', () => {
  test('count exchanges by outcome and by limit', () => {
    const ledger = new ExchangeRegistry()
    begun(ledger).end()
    begun(ledger).end('client_disconnect')
    begun(ledger).end('limit_exceeded', limitFailure('idle_timeout', defaultLimits))
    begun(ledger).end('limit_exceeded', limitFailure('idle_timeout', defaultLimits))
    begun(ledger)
    const { exchanges, active, outcomes, limits } = ledger.stats(0)
    assert.deepEqual([exchanges, active], [5, 1])
    assert.deepEqual(outcomes, {
      completed: 1,
      client_disconnect: 1,
      limit_exceeded: 2,
      upstream_error: 0,
      rejected: 0,
      provider_error: 0,
      shutdown: 0,
    })
    assert.deepEqual(limits, { idleTimeoutMs: 2 })
  })

  test('add up what exchanges took, and keep the longest turn of all', () => {
    const ledger = new ExchangeRegistry()
    for (const ms of [3, 9, 2]) {
      const { exchange, end } = begun(ledger)
      exchange.traffic.countRequestBytes(1)
      exchange.traffic.countUpstreamBytes(10)
      exchange.traffic.attachFramer({ events: 2 })
      exchange.traffic.attachDownstream({ bytes: 5 })
      exchange.traffic.countTurn(ms)
      end()
    }
    const { requestBytes, upstreamBytes, downstreamBytes, events, turns, busyMs, maxTurnMs } = ledger.stats(0)
    assert.deepEqual(
      [requestBytes, upstreamBytes, downstreamBytes, events, turns, busyMs, maxTurnMs],
      [3, 30, 15, 6, 3, 14, 9],
    )
  })

  test('of stats() do not change after it returned', () => {
    const ledger = new ExchangeRegistry()
    const before = ledger.stats(0)
    begun(ledger).end('limit_exceeded', limitFailure('idle_timeout', defaultLimits))
    assert.equal(before.outcomes.limit_exceeded, 0)
    assert.deepEqual(before.limits, {})
  })
})

describe('gauges', () => {
  test('count exchanges that wait for a turn or for their client', () => {
    const ledger = new ExchangeRegistry()
    begun(ledger).exchange.enter('stalled')
    begun(ledger).exchange.enter('streaming')
    const { waitingForDrain, waitingForTurn } = ledger.stats(7)
    assert.deepEqual([waitingForDrain, waitingForTurn], [1, 7])
  })

  test('list running exchanges, oldest first', () => {
    const ledger = new ExchangeRegistry()
    const [first, second, third] = [begun(ledger), begun(ledger), begun(ledger)]
    second.end()
    assert.deepEqual(
      ledger.snapshots().map(({ id }) => id),
      [first.exchange.id, third.exchange.id],
    )
  })
})

describe('maxConcurrentExchanges', () => {
  const limits = { ...defaultLimits, maxConcurrentExchanges: 2 }

  test('admits that many at once, and the next one after one has ended', () => {
    const ledger = new ExchangeRegistry()
    const [first, second, third] = [begun(ledger), begun(ledger), begun(ledger)]
    ledger.admitExchange(first.exchange, limits)
    ledger.admitExchange(second.exchange, limits)
    assert.throws(() => ledger.admitExchange(third.exchange, limits), { code: 'too_many_exchanges', status: 503 })
    // Who was not admitted gives no place back.
    third.end('limit_exceeded', limitFailure('too_many_exchanges', limits))
    assert.throws(() => ledger.admitExchange(begun(ledger).exchange, limits), { code: 'too_many_exchanges' })
    assert.equal(ledger.stats(0).limits.maxConcurrentExchanges, 1)
    first.end()
    ledger.admitExchange(begun(ledger).exchange, limits)
  })
})

describe('maxConcurrentStreams', () => {
  const limits = { ...defaultLimits, maxConcurrentStreams: 2 }

  test('admits that many at once, and the next one after one has ended', () => {
    const ledger = new ExchangeRegistry()
    const [first, second, third] = [begun(ledger), begun(ledger), begun(ledger)]
    ledger.admitStream(first.exchange, limits)
    ledger.admitStream(second.exchange, limits)
    assert.throws(() => ledger.admitStream(third.exchange, limits), { code: 'too_many_streams', status: 503 })
    assert.equal(ledger.stats(0).streams, 2)
    // Who was not admitted gives no place back.
    third.end('limit_exceeded')
    assert.equal(ledger.stats(0).streams, 2)
    first.end()
    assert.equal(ledger.stats(0).streams, 1)
    ledger.admitStream(begun(ledger).exchange, limits)
  })
})

describe('close', () => {
  /** Whether a promise has been fulfilled by now. */
  async function isDone(promise: Promise<void>): Promise<boolean> {
    let done = false
    void promise.then(() => {
      done = true
    })
    await settled()
    return done
  }

  test('resolves at once if none are running, and rejects new ones', async () => {
    const ledger = new ExchangeRegistry()
    ledger.admit()
    const closed = ledger.close(1000)
    assert.throws(() => ledger.admit(), { code: 'shutting_down', status: 503 })
    assert.equal(await isDone(closed), true)
  })

  test('lets running exchanges end, and waits for the last', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const ledger = new ExchangeRegistry()
    const [first, second] = [begun(ledger), begun(ledger)]
    const closed = ledger.close(1000)
    t.mock.timers.tick(999)
    first.end()
    assert.equal(await isDone(closed), false)
    second.end()
    assert.equal(await isDone(closed), true)
    t.mock.timers.tick(10_000)
    assert.deepEqual([...first.log, ...second.log], [])
  })

  test('after graceMs ends running exchanges, and destroys those that do not end', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const ledger = new ExchangeRegistry()
    const [polite, stubborn] = [begun(ledger), begun(ledger)]
    const closed = ledger.close(1000)
    t.mock.timers.tick(1000)
    assert.deepEqual([polite.log, stubborn.log], [['shutting_down'], ['shutting_down']])
    polite.end('shutdown')
    t.mock.timers.tick(1000)
    assert.deepEqual([polite.log, stubborn.log], [['shutting_down'], ['shutting_down', 'destroyed']])
    assert.equal(await isDone(closed), false)
    stubborn.end('shutdown')
    assert.equal(await isDone(closed), true)
  })

  test('leaves no timer that would keep the process alive', async (t) => {
    const started = t.mock.method(globalThis, 'setTimeout')
    const cleared = t.mock.method(globalThis, 'clearTimeout')
    const ledger = new ExchangeRegistry()
    const last = begun(ledger)
    const closed = ledger.close(0)
    while (last.log.length === 0) await new Promise((resolve) => setImmediate(resolve))
    last.end('shutdown')
    await closed
    const timers = started.mock.calls.map(({ result }) => result)
    assert.equal(timers.length, 2, 'of the grace, and of the farewell')
    assert.deepEqual(
      cleared.mock.calls.map(({ arguments: [timer] }) => timer),
      timers,
    )
  })

  test('does not count rejected exchanges as running', async () => {
    const ledger = new ExchangeRegistry()
    const running = begun(ledger)
    const closed = ledger.close(100_000)
    begun(ledger).end('shutdown')
    assert.equal(await isDone(closed), false)
    running.end()
    assert.equal(await isDone(closed), true)
  })

  test('does not wait for exchanges that start meanwhile', async () => {
    const ledger = new ExchangeRegistry()
    const running = begun(ledger)
    const closed = ledger.close(10_000)
    begun(ledger)
    running.end()
    assert.equal(await isDone(closed), true)
  })

  test('may be called twice, which has the same effect as once', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const ledger = new ExchangeRegistry()
    const { end, log } = begun(ledger)
    const [first, second] = [ledger.close(1000), ledger.close(1000)]
    t.mock.timers.tick(1000)
    assert.deepEqual(log, ['shutting_down'])
    end('shutdown')
    assert.deepEqual([await isDone(first), await isDone(second)], [true, true])
  })

  test('accepts a grace longer than a timer can hold', async () => {
    const ledger = new ExchangeRegistry()
    const { end } = begun(ledger)
    const timer = mock.method(globalThis, 'setTimeout')
    const closed = ledger.close(2 ** 31)
    timer.mock.restore()
    for (const { arguments: given } of timer.mock.calls) assert.ok(Number(given[1]) <= 2 ** 31 - 1)
    end()
    await closed
  })
})

describe('abort', () => {
  test('takes effect after the current turn, and not at all if that was the last', async () => {
    const ledger = new ExchangeRegistry()
    const [running, ending] = [begun(ledger), begun(ledger)]
    for (const { exchange } of [running, ending]) assert.equal(ledger.abort(exchange.id), true)
    assert.deepEqual(running.log, [])
    ending.end()
    await settled()
    assert.deepEqual([running.log, ending.log], [['abort'], []])
    assert.equal(ledger.abort(ending.exchange.id), false)
  })
})
