import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Request, Response } from 'express'
import { Exchange } from '../../lib/exchange/exchange.js'
import { stickyKey } from '../../lib/handle/sticky-key.js'
import { FakeResponse } from '../support/fake-response.js'

type Key = NonNullable<NonNullable<Parameters<typeof stickyKey>[0]>['key']>

function exchangeOf(): Exchange {
  const req = { method: 'POST', url: '/v1/chat/completions', headers: {} } as unknown as Request
  return new Exchange(req, new FakeResponse() as unknown as Response)
}

const keyOf = (body: unknown, key?: unknown) => stickyKey({ key: key as Key, ttlMs: 1 }, body, exchangeOf())

const messages = [
  { role: 'system', content: 'S' },
  { role: 'user', content: '1' },
]

describe('by default, a request sticks by', () => {
  test('the key that the app gives its prompt cache', () => {
    assert.equal(keyOf({ prompt_cache_key: 'k', messages }), 'k')
    assert.equal(keyOf({ metadata: { user_id: 'u' }, messages }), 'u')
  })

  test('a hash of its beginning otherwise, which shows nothing of it', () => {
    const key = keyOf({ messages })
    assert.match(key ?? '', /^[\w-]{43}$/)
    assert.equal(keyOf({ messages: [...messages, { role: 'assistant', content: 'a' }], model: 'other' }), key)
    assert.notEqual(keyOf({ messages: [{ role: 'system', content: 'T' }, messages[1]] }), key)
    assert.notEqual(keyOf({ messages, tools: [{ name: 'f' }] }), key)
  })

  test('the first 64 Ki characters of that beginning', () => {
    const long = (end: string) => keyOf({ messages: [{ role: 'user', content: 'x'.repeat(70_000) + end }] })
    assert.equal(long('a'), long('b'))
    assert.notEqual(keyOf({ system: 'a', messages: [{ role: 'user', content: 'x'.repeat(70_000) }] }), long('a'))
  })

  test('nothing if it has no beginning', () => {
    for (const body of [undefined, {}, { model: 'm' }, { messages: [] }]) assert.equal(keyOf(body), undefined)
  })
})

describe('a long key is hashed:', () => {
  test('one that a client chose', () => {
    const [a, b] = ['a', 'b'].map((end) => keyOf({ prompt_cache_key: 'x'.repeat(256) + end }))
    assert.match(a ?? '', /^[\w-]{43}$/)
    assert.notEqual(a, b)
    assert.equal(keyOf({ prompt_cache_key: 'x'.repeat(256) }), 'x'.repeat(256))
  })
})

describe('a function of the app', () => {
  test('gets the parsed body and the exchange, and decides', () => {
    const body = { prompt_cache_key: 'k', messages }
    const exchange = exchangeOf()
    const seen: unknown[] = []
    const key = (...args: unknown[]) => {
      seen.push(...args)
      return 'tenant-1'
    }
    assert.equal(stickyKey({ key: key as Key, ttlMs: 1 }, body, exchange), 'tenant-1')
    assert.deepEqual(seen, [{ body }, exchange.hookView()])
  })

  test('lets a request go to any target by returning nothing', () => {
    for (const nothing of [undefined, '', null, 5, {}]) {
      assert.equal(
        keyOf({ prompt_cache_key: 'k', messages }, () => nothing),
        undefined,
      )
    }
  })

  test('lets it go to any target by throwing', () => {
    const throwing = () => {
      throw new Error('no tenant')
    }
    assert.equal(keyOf({ prompt_cache_key: 'k', messages }, throwing), undefined)
  })
})

test('a request does not stick if `sticky` is off', () => {
  assert.equal(stickyKey(undefined, { prompt_cache_key: 'k' }, exchangeOf()), undefined)
})
