import assert from 'node:assert/strict'
import { afterEach, describe, mock, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { HookErrors } from '../../lib/options/hook-errors.js'
import { settled } from '../support/event-loop.js'

const exchange = { id: 'exchange-1' } as HookedExchange

/** What `process.emitWarning` is called with. */
function warnings() {
  const emitted: { text: string; code: string; detail: string }[] = []
  mock.method(process, 'emitWarning', (text: string, { code, detail }: { code: string; detail: string }) => {
    // Its end is the address of the explanation.
    emitted.push({ text: text.replace(/\. See https:\S+$/, ''), code, detail })
  })
  return emitted
}

afterEach(() => mock.restoreAll())

describe('an error thrown by a hook', () => {
  test('is emitted as a process warning with its stack', () => {
    const emitted = warnings()
    const error = new Error('no such table: bills')
    new HookErrors(undefined).report('onFinish', error, exchange)
    assert.deepEqual(emitted, [{ text: '`onFinish` threw', code: 'AI_PROXY_HOOK_THREW', detail: error.stack }])
  })

  test('is emitted once a minute for each hook, with the number of errors in between', () => {
    const emitted = warnings()
    let now = 0
    const errors = new HookErrors(undefined, () => now)
    for (const at of [0, 1000, 59_999, 60_000, 60_001]) {
      now = at
      errors.report('onFinish', new Error('again'))
    }
    errors.report('onEvent', new Error('another'))
    assert.deepEqual(
      emitted.map(({ text }) => text),
      ['`onFinish` threw', '`onFinish` threw (and 2 times more since the last warning)', '`onEvent` threw'],
    )
  })

  test('is passed to onError every time', () => {
    warnings()
    const told: unknown[] = []
    const errors = new HookErrors((error, context) => void told.push([error, context]))
    errors.report('onEvent', 'first', exchange)
    errors.report('observers', 'second')
    assert.deepEqual(told, [
      ['first', { hook: 'onEvent', exchange }],
      ['second', { hook: 'observers', exchange: undefined }],
    ])
  })

  test('may be anything, even an object that throws when it is inspected', () => {
    const emitted = warnings()
    const errors = new HookErrors(undefined)
    const hostile = Object.defineProperty(new Error('x'), 'stack', {
      get() {
        throw new Error('the stack, too')
      },
    })
    errors.report('onFinish', undefined)
    errors.report('onEvent', hostile)
    errors.report('observers', Object.create(null))
    assert.deepEqual(
      emitted.map(({ detail }) => detail),
      ['undefined', 'an error that cannot be shown', 'an error that cannot be shown'],
    )
  })

  test('in auth is shown without its message, which may contain a key', () => {
    const emitted = warnings()
    new HookErrors(undefined).report('auth', new Error('vault said sk-secret-1'))
    new HookErrors(undefined).report('auth', 'sk-secret-2')
    for (const { detail } of emitted) assert.doesNotMatch(detail, /sk-secret/)
    assert.match(emitted[0]!.detail, /^Error\n +at .*hook-errors\.test/)
  })

  test('in onError itself is ignored', async () => {
    warnings()
    const fail = () => {
      throw new Error('onError fails')
    }
    new HookErrors(fail).report('onFinish', new Error('x'))
    new HookErrors(async () => fail()).report('onFinish', new Error('x'))
    new HookErrors(() => runInNewContext('Promise.reject(new Error("elsewhere"))')).report('onFinish', new Error('x'))
    await settled()
  })
})

describe('a wrapped function', () => {
  const errors = () => {
    warnings()
    const told: unknown[] = []
    return { told, hooks: new HookErrors((error, { hook, exchange }) => void told.push([hook, error, exchange])) }
  }

  test("returns the original's result, with the same arguments", () => {
    const { told, hooks } = errors()
    const add = hooks.reporting('estimateTokens', (a: number, b: number) => a + b)
    assert.equal(add(1, 2), 3)
    assert.deepEqual(told, [])
  })

  test("rethrows the original's exception, and reports it with the exchange", () => {
    const { told, hooks } = errors()
    const error = new Error('x')
    const call = hooks.reporting(
      'onEvent',
      (_event: string, _exchange: HookedExchange) => {
        throw error
      },
      (_event, seenBy) => seenBy,
    )
    assert.throws(() => call('event', exchange), error)
    assert.deepEqual(told, [['onEvent', error, exchange]])
  })

  test("rejects with the original's error, and reports it", async () => {
    const { told, hooks } = errors()
    const error = new Error('x')
    const call = hooks.reporting('auth', async () => {
      throw error
    })
    await assert.rejects(call(), error)
    assert.deepEqual(told, [['auth', error, undefined]])
  })

  test('does not report exceptions that are intended', () => {
    const { told, hooks } = errors()
    const refuse = hooks.reporting(
      'onRequest',
      () => {
        throw Object.assign(new Error('no'), { status: 402 })
      },
      undefined,
      (error) => (error as { status?: number }).status === 402,
    )
    assert.throws(refuse, /no/)
    assert.deepEqual(told, [])
  })

  test('is undefined if the original is', () => {
    assert.equal(new HookErrors(undefined).reporting('onRequest', undefined), undefined)
  })
})
