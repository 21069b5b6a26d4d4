import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import client from 'prom-client'
import { memoryJournal, redisJournal } from '../../lib/journal.js'
import { openTelemetryObserver } from '../../lib/opentelemetry.js'
import { genaiPrices } from '../../lib/prices.js'
import { prometheusObserver } from '../../lib/prometheus.js'
import { queue } from '../../lib/queue.js'
import { memoryStore, quota, redisStore } from '../../lib/quota.js'

const rule = { key: 'a', requests: 1, per: '1m' }
const redis = { eval: () => {}, evalsha: () => {}, call: () => {} }

/** Functions of the package's subpaths, as an app in JavaScript calls them: with a misspelled option. */
const misspelled: readonly (readonly [call: () => unknown, message: RegExp])[] = [
  [
    () => quota({ limits: [rule], onExceed: () => {} } as never),
    /^quota: there is no option onExceed\. Did you mean onExceeded\? quota takes limits, /,
  ],
  [
    () => quota({ limits: [{ key: 'a', token: 1, per: '1m' }] } as never),
    /^quota: there is no option limits\[0\]\.token\. Did you mean limits\[0\]\.tokens\? limits\[0\] takes key, /,
  ],
  [
    () => queue({ maxConcurent: 1 } as never),
    /^queue: there is no option maxConcurent\. Did you mean maxConcurrent\? queue takes /,
  ],
  [
    () => redisStore({ client: redis, prefx: 'a:' } as never),
    /^redisStore: there is no option prefx\. Did you mean prefix\? redisStore takes client, prefix, slot$/,
  ],
  [
    () => genaiPrices({ providr: 'openai' } as never),
    /^genaiPrices: there is no option providr\. Did you mean provider\? genaiPrices takes provider$/,
  ],
  [
    () => prometheusObserver({ register: new client.Registry(), label: ['a'] } as never),
    /^prometheusObserver: there is no option label\. Did you mean labels\? prometheusObserver takes register, /,
  ],
  [
    () => openTelemetryObserver({ meterProvidr: {} } as never),
    /^openTelemetryObserver: there is no option meterProvidr\. Did you mean meterProvider\? /,
  ],
]

const callers = {
  quota,
  queue,
  redisStore,
  memoryJournal,
  redisJournal,
  genaiPrices,
  prometheusObserver,
  openTelemetryObserver,
}

describe('functions of the subpaths', () => {
  for (const [call, message] of misspelled) {
    test(`suggest a name: ${message.source.split('\\.')[0]}`, () => assert.throws(call, { name: 'TypeError', message }))
  }

  for (const [name, take] of Object.entries(callers)) {
    for (const wrong of [null, 5, [], new Map(), Promise.resolve({})]) {
      test(`${name}(${inspect(wrong)}) says that it takes an object`, () => {
        const message = new RegExp(`^${name}: options takes an object; got `)
        assert.throws(() => take(wrong as never), { name: 'TypeError', message })
      })
    }
  }

  for (const [call, message] of [
    [
      () => memoryJournal({ maxBytes: '1mb' } as never),
      "memoryJournal: maxBytes takes a number of at least 0; got '1mb'",
    ],
    [() => redisJournal({} as never), 'redisJournal: client takes a client of ioredis or redis; got undefined'],
    [() => redisStore({} as never), 'redisStore: client takes a client of ioredis or redis; got undefined'],
    [
      () => genaiPrices({ provider: '' }),
      "genaiPrices: provider takes the provider's id in @pydantic/genai-prices; got ''",
    ],
  ] as const) {
    test(`name themselves: ${message}`, () => assert.throws(call, { name: 'TypeError', message }))
  }

  test('redisStore() says that it takes an object', () => {
    const message = 'redisStore: options takes an object; got undefined'
    assert.throws(() => redisStore(undefined as never), { name: 'TypeError', message })
  })

  test('add() of a quota says which amounts it takes', async () => {
    const { add } = bound(quota({ limits: [rule as never], store: memoryStore() }))
    await assert.rejects(
      add('a', undefined as never),
      /^TypeError: quota: add\(key, more\) takes an object; got undefined/,
    )
    await assert.rejects(add('a', { token: 5 } as never), /there is no option .*token\. Did you mean .*tokens\?/)
  })
})

function bound(limits: ReturnType<typeof quota>) {
  return { add: limits.add.bind(limits) }
}
