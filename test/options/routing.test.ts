import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { AiProxyOptions } from '../../lib/index.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { complaint } from '../support/complaint.js'

const target = 'https://api.openai.com'
const targets = [{ name: 'a', target }]
const routingOf = (options: object) => resolveOptions({ targets, ...options }).routing!
const attemptsOf = (options: AiProxyOptions) => resolveOptions(options).routing?.retry.attempts
const onAttempt = () => {}

/** For each option, by its dotted name, values that it does not take. */
const wrong: Readonly<Record<string, readonly unknown[]>> = {
  balance: ['random', 'Weighted', null, 1, {}],
  sticky: [true, null, 'user', [], 0],
  'sticky.key': ['user', null, 1],
  'sticky.ttlMs': [0, -1, Number.NaN, Infinity, '5', false, null],
  retry: [true, null, 3, 'yes', []],
  'retry.attempts': [0, -1, 1.5, '3', Infinity, Number.NaN, null, false],
  'retry.on': ['rate-limit', null, {}],
  'retry.backoffMs': [250, [250], [1, 2, 3], [-1, 5], [5, 1], [1, Infinity], ['1', 2], [Number.NaN, 1], null],
  'retry.maxWaitMs': [-1, Infinity, Number.NaN, '1', false, null],
  'retry.withinMs': [-1, Infinity, Number.NaN, '1', false, null],
  'retry.preamble': [null, true, 64, []],
  'retry.preamble.events': [-1, '1', Number.NaN, null],
  'retry.preamble.bytes': [-1, '1', Infinity, null],
  'retry.preamble.ms': [-1, '1', Infinity, null],
  hedge: [true, null, 500, 'on', []],
  'hedge.afterMs': [0, -1, undefined, '1', Infinity, null],
  'hedge.max': [0, 1.5, '1', null, Infinity],
  whenAllCooling: ['wait', null, true],
  showAlias: ['yes', 1, null],
  onAttempt: ['sign', {}, null],
  'limits.firstTokenTimeoutMs': [0, -1, '1', null, true],
  'limits.progressTimeoutMs': [0, -1, '1', null, true],
}

/** `{ a: { b: value } }` for `a.b`. */
function nested(name: string, value: unknown): object {
  const [first = '', ...rest] = name.split('.')
  const fill = name.startsWith('hedge.') && name !== 'hedge.afterMs' ? { afterMs: 1 } : {}
  return { [first]: rest.length === 0 ? value : { ...fill, ...nested(rest.join('.'), value) } }
}

describe('an error names the option, what it takes and what it got, for', () => {
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      test(`${name}: ${inspect(value)}`, () => {
        const message = complaint({ targets, ...nested(name, value) })
        assert.match(message, new RegExp(`^aiProxy: ${name.replaceAll('.', '\\.')} takes .+; got `))
        assert.ok(message.endsWith(`; got ${inspect(value)}`), message)
      })
    }
  }

  test('an unknown reason', () => {
    const message = complaint({ targets, retry: { on: ['auth', 'ratelimit'] } })
    assert.match(message, /^aiProxy: retry\.on\[1\] takes .*did you mean 'rate-limit'\?.*; got 'ratelimit'$/)
  })

  for (const [option, misspelt, meant] of [
    ['retry', 'attempt', 'retry.attempts'],
    ['retry', 'backoff', 'retry.backoffMs'],
    ['sticky', 'ttl', 'sticky.ttlMs'],
    ['hedge', 'after', 'hedge.afterMs'],
  ] as const) {
    test(`${option}.${misspelt}, which does not exist`, () => {
      const message = complaint({ targets, [option]: { [misspelt]: 1 } })
      assert.ok(
        message.startsWith(`aiProxy: there is no option ${option}.${misspelt}. Did you mean ${meant}?`),
        message,
      )
    })
  }

  for (const [name, value] of [
    ['balance', 'fastest'],
    ['sticky', {}],
    ['hedge', { afterMs: 100 }],
    ['showAlias', true],
  ] as const) {
    test(`${name} with one \`target\``, () => {
      assert.match(
        complaint({ target, [name]: value }),
        new RegExp(`^aiProxy: ${name} takes a value only together with \`targets\``),
      )
    })
  }
})

describe('without options', () => {
  test('what needs several targets may be turned off with one `target`', () => {
    assert.equal(
      resolveOptions({ target, sticky: false, hedge: false, showAlias: false, retry: false }).routing,
      undefined,
    )
  })

  test('several targets have the documented defaults', () => {
    const { targets: _, ...routing } = routingOf({})
    assert.deepEqual(routing, {
      balance: 'weighted',
      sticky: undefined,
      retry: {
        attempts: 3,
        on: ['connection', 'server-error', 'rate-limit', 'auth', 'timeout', 'stream-error'],
        backoffMs: [250, 4000],
        maxWaitMs: 10_000,
        withinMs: 30_000,
        preamble: { events: 64, bytes: 262_144, ms: 2000 },
      },
      hedge: undefined,
      whenAllCooling: 'try',
      showAlias: false,
      onAttempt: undefined,
    })
  })

  test('one target is not routed', () => {
    assert.equal(resolveOptions({ target }).routing, undefined)
    assert.equal(resolveOptions({ target, retry: false }).routing, undefined)
  })
})

describe('a route is made', () => {
  test('for one target with `retry`, named for its host', () => {
    const { routing } = resolveOptions({ target, retry: {} })
    assert.deepEqual([routing?.targets.map(({ name }) => name), routing?.retry.attempts], [['api.openai.com'], 3])
  })

  test('without retries by `retry: false`', () => {
    assert.equal(routingOf({ retry: false }).retry.attempts, 1)
  })

  test('with the defaults of what an option leaves out', () => {
    const { sticky, hedge, retry } = routingOf({ sticky: {}, hedge: { afterMs: 5 }, retry: { preamble: { ms: 0 } } })
    assert.deepEqual(
      [sticky, hedge],
      [
        { key: undefined, ttlMs: 300_000 },
        { afterMs: 5, max: 1 },
      ],
    )
    assert.deepEqual(retry.preamble, { events: 64, bytes: 262_144, ms: 0 })
  })

  test('hold nothing back if `preamble` is false', () => {
    assert.deepEqual(routingOf({ retry: { preamble: false } }).retry.preamble, { events: 0, bytes: 0, ms: 0 })
  })
})

describe('a request has', () => {
  test('one attempt at the only target, also if a hook sees it', () => {
    assert.equal(attemptsOf({ target }), undefined)
    assert.equal(attemptsOf({ target, retry: false }), undefined)
    assert.equal(attemptsOf({ target, onAttempt }), 1)
    assert.equal(attemptsOf({ target, onAttempt, retry: false }), 1)
  })

  test('three attempts, or as many as `retry` says', () => {
    assert.equal(attemptsOf({ target, retry: {} }), 3)
    assert.equal(attemptsOf({ target, onAttempt, retry: { attempts: 2 } }), 2)
    assert.equal(attemptsOf({ targets }), 3)
    assert.equal(attemptsOf({ targets, onAttempt }), 3)
    assert.equal(attemptsOf({ targets, retry: { attempts: 5 } }), 5)
    assert.equal(attemptsOf({ targets, retry: false }), 1)
  })
})
