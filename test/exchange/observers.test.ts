import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import type { Request, Response } from 'express'
import type { ObservedExchange, Observer } from '../../lib/api/observer.js'
import { Exchange } from '../../lib/exchange/exchange.js'
import { Observers } from '../../lib/exchange/observers.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { ExchangeRegistry } from '../../lib/exchange/registry.js'
import { HookErrors } from '../../lib/options/hook-errors.js'
import { settled } from '../support/event-loop.js'
import { FakeResponse } from '../support/fake-response.js'
import { unhandledRejections } from '../support/unhandled.js'

const ORIGIN = 'https://provider.example'

function exchangeOf(): Exchange {
  const req = { method: 'POST', url: '/v1/messages' } as unknown as Request
  const exchange = new Exchange(req, new FakeResponse() as unknown as Response)
  exchange.describe('claude', true)
  return exchange
}

/** Tells observers all that there is to tell. */
function tellAll(observers: Observers): Readonly<Record<string, string>>[] {
  const exchange = exchangeOf()
  observers.onProxy(() => new ExchangeRegistry().stats(0))
  const headers = observers.onRequest(exchange, ORIGIN)
  observers.onTurn?.(1)
  observers.onFinish(recordOf(exchange))
  return headers
}

/** One that notes what it is told. */
function noting(log: string[], name: string): Observer {
  return {
    onProxy: () => void log.push(`${name} proxy`),
    onRequest: () => void log.push(`${name} request`) as undefined,
    onTurn: (ms) => void log.push(`${name} turn of ${ms} ms`),
    onFinish: ({ outcome }) => void log.push(`${name} ${outcome}`),
  }
}

const throwing: Observer = Object.fromEntries(
  ['onProxy', 'onRequest', 'onTurn', 'onFinish'].map((name) => [
    name,
    () => {
      throw new Error(`${name} of an observer failed`)
    },
  ]),
)

describe('observers', () => {
  test('may be an empty list', () => {
    const observers = new Observers([], new HookErrors(undefined))
    assert.equal(observers.onTurn, undefined)
    assert.deepEqual(tellAll(observers), [])
  })

  test('may implement nothing', () => assert.deepEqual(tellAll(new Observers([{}, {}], new HookErrors(undefined))), []))

  test('are called in order', () => {
    const log: string[] = []
    tellAll(new Observers([noting(log, 'a'), noting(log, 'b')], new HookErrors(undefined)))
    const told = ['proxy', 'request', 'turn of 1 ms', 'completed']
    assert.deepEqual(
      log,
      told.flatMap((what) => [`a ${what}`, `b ${what}`]),
    )
  })

  test('are called as methods, with their `this`', () => {
    class Counting {
      turns = 0
      finished = 0
      onTurn() {
        this.turns++
      }
      onFinish() {
        this.finished++
      }
    }
    const counting = new Counting()
    tellAll(new Observers([counting], new HookErrors(undefined)))
    assert.deepEqual([counting.turns, counting.finished], [1, 1])
  })

  test('get a function for the middleware’s current stats', () => {
    const ledger = new ExchangeRegistry()
    let stats: (() => { waitingForTurn: number }) | undefined
    const observer: Observer = {
      onProxy: (proxy) => {
        stats = proxy.stats
      },
    }
    let waiting = 0
    new Observers([observer], new HookErrors(undefined)).onProxy(() => ledger.stats(waiting))
    waiting = 7
    assert.equal(stats?.().waitingForTurn, 7)
  })
})

describe('onTurn', () => {
  test('is undefined if no observer implements it, because every turn of a stream checks it', () => {
    assert.equal(new Observers([{ onFinish: () => {} }, {}], new HookErrors(undefined)).onTurn, undefined)
  })

  test('calls only the observers that implement it', () => {
    const log: string[] = []
    const { onTurn } = new Observers([{}, noting(log, 'a'), { onFinish: () => {} }], new HookErrors(undefined))
    onTurn?.(0.5)
    assert.deepEqual(log, ['a turn of 0.5 ms'])
  })
})

describe('onRequest', () => {
  test('passes the exchange', () => {
    const seen: ObservedExchange[] = []
    const observers = new Observers(
      [{ onRequest: (exchange) => void seen.push(exchange) as undefined }],
      new HookErrors(undefined),
    )
    const exchange = exchangeOf()
    exchange.identify({ id: 'ada', tenant: 'acme' }, undefined)
    observers.onRequest(exchange, ORIGIN)
    const { id, req, startedAt } = exchange
    const [host, subject, tenant] = ['provider.example:443', 'ada', 'acme']
    const of = { format: 'anthropic', model: 'claude', stream: true, subject, tenant }
    assert.deepEqual(seen, [{ id, req, ...of, startedAt, host }])
  })

  for (const [origin, host] of [
    ['https://provider.example', 'provider.example:443'],
    ['http://provider.example', 'provider.example:80'],
    ['http://localhost:11434', 'localhost:11434'],
    ['https://[::1]:8443', '[::1]:8443'],
  ] as const) {
    test(`passes the host of ${origin}: ${host}`, () => {
      let seen: string | undefined
      const observer: Observer = {
        onRequest: (exchange) => {
          seen = exchange.host
          return undefined
        },
      }
      new Observers([observer], new HookErrors(undefined)).onRequest(exchangeOf(), origin)
      assert.equal(seen, host)
    })
  }

  test('collects the headers that observers return', () => {
    const [a, b] = [{ traceparent: '00-1' }, { baggage: 'x=y' }]
    const all: Observer[] = [
      { onRequest: () => a },
      {},
      { onRequest: () => undefined },
      { onRequest: () => b },
      throwing,
    ]
    assert.deepEqual(new Observers(all, new HookErrors(undefined)).onRequest(exchangeOf(), ORIGIN), [a, b])
  })

  for (const nonsense of [null, true, 'traceparent', 5]) {
    test(`ignores ${JSON.stringify(nonsense)} as headers`, () => {
      const observers = new Observers([{ onRequest: () => nonsense as never }], new HookErrors(undefined))
      assert.deepEqual(observers.onRequest(exchangeOf(), ORIGIN), [])
    })
  }
})

describe('a fault in an observer', () => {
  test('that throws does not affect the exchange or other observers', () => {
    const log: string[] = []
    const headers = { 'x-a': '1' }
    const all = [throwing, noting(log, 'a'), throwing, { onRequest: () => headers }]
    assert.deepEqual(tellAll(new Observers(all, new HookErrors(undefined))), [headers])
    assert.deepEqual(log, ['a proxy', 'a request', 'a turn of 1 ms', 'a completed'])
  })

  const lateOnes: [where: string, late: () => unknown][] = [
    [
      'a promise',
      async () => {
        throw new Error('late')
      },
    ],
    ['a promise of another realm', runInNewContext("async () => { throw new Error('late') }")],
  ]
  for (const name of ['onProxy', 'onFinish', 'onRequest', 'onTurn']) {
    for (const [where, late] of lateOnes) {
      test(`that rejects later, in ${where}, does not end the process: ${name}`, async (t) => {
        const unhandled = unhandledRejections(t)
        assert.deepEqual(tellAll(new Observers([{ [name]: late }], new HookErrors(undefined))), [])
        await settled()
        assert.deepEqual(unhandled, [])
      })
    }
  }

  test('that returns an invalid header loses it; the headers of other observers are sent', () => {
    const headers = { 'x-a': '1' }
    for (const faulty of [{ 'content-length': '5' }, { host: 'x' }, { 'x a': '1' }, { 'x-b': 'a\nb' }, { 'x-c': 5 }]) {
      const all = [{ onRequest: () => faulty as unknown as Record<string, string> }, { onRequest: () => headers }]
      assert.deepEqual(new Observers(all, new HookErrors(undefined)).onRequest(exchangeOf(), ORIGIN), [headers])
    }
  })
})
