import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { formatNames, getFormat } from '../../lib/formats/index.js'
import { resolveOptions } from '../../lib/options/resolve.js'
import { complaint } from '../support/complaint.js'

const target = 'https://api.openai.com'

const resolved = (options: Partial<AiProxyOptions>) => resolveOptions({ target, ...options })

describe('the options that read what passes', () => {
  for (const name of formatNames) {
    test(`format: ${name}`, () => assert.equal(resolved({ format: name }).format, getFormat(name)))
  }

  test('includeUsage: false', () => assert.equal(resolved({ includeUsage: false }).includeUsage, false))

  for (const [name, answer] of [
    ['estimateTokens', 7],
    ['onRequest', { status: 204 }],
    ['onEvent', null],
  ] as const) {
    test(`${name} gets its arguments, and its result is used`, () => {
      const calls: unknown[][] = []
      const option = (...given: unknown[]) => {
        calls.push(given)
        return answer
      }
      const taken = resolved({ [name]: option })[name] as (...given: unknown[]) => unknown
      assert.equal(taken('one', 'two'), answer)
      assert.deepEqual(calls, [['one', 'two']])
    })
  }

  test('models become a filter', () => {
    const { models } = resolved({ models: ['gpt-5', /^o\d/] })
    assert.deepEqual([models?.('gpt-5'), models?.('o3'), models?.('gpt-4')], [true, true, false])
  })

  for (const modelOptions of [{}, { defaults: {} }, { overrides: { model: 'm' }, defaults: { a: 1 } }]) {
    test(`modelOptions: ${inspect(modelOptions)}`, () => {
      assert.deepEqual(resolved({ modelOptions }).modelOptions, modelOptions)
    })
  }

  test('overload', () => {
    assert.deepEqual(resolved({ overload: { maxEventLoopDelayMs: 0.5 } }).overload, { maxEventLoopDelayMs: 0.5 })
  })

  test('observers are kept, in order', () => {
    const observers = [{ onTurn: () => {} }, { onFinish: () => {} }]
    assert.deepEqual(resolved({ observers }).observers, observers)
  })

  test('limits.maxOutputTokens, limits.terminatorGraceMs', () => {
    const { limits } = resolved({ limits: { maxOutputTokens: 5, terminatorGraceMs: false } })
    assert.deepEqual([limits.maxOutputTokens, limits.terminatorGraceMs], [5, Number.POSITIVE_INFINITY])
  })
})

describe('an invalid value throws, naming the option, what it got and what it takes', () => {
  const names = `${formatNames.map((name) => `'${name}'`).join(', ')} or an object that describes a format`
  const models = "a list of model names and RegExps, 'all', or a function"
  const milliseconds = 'a number above 0'
  const delay = 'overload.maxEventLoopDelayMs'

  const json = 'what JSON can carry: null, true, false, strings, finite numbers, lists, and plain objects of them'
  const circular: Record<string, unknown> = {}
  circular.inner = [circular]

  const table: [options: Record<string, unknown>, option: string, takes: string, got: string][] = [
    [{ modelOptions: { defaults: { seed: Number.NaN } } }, 'modelOptions.defaults.seed', json, 'NaN'],
    [{ modelOptions: { overrides: { seed: 5n } } }, 'modelOptions.overrides.seed', json, '5n'],
    [
      { modelOptions: { overrides: { stop: ['a', () => 'b'] } } },
      'modelOptions.overrides.stop[1]',
      json,
      '[Function (anonymous)]',
    ],
    [{ modelOptions: { overrides: { stop: [undefined] } } }, 'modelOptions.overrides.stop[0]', json, 'undefined'],
    [{ modelOptions: { overrides: { a: { b: Symbol('c') } } } }, 'modelOptions.overrides.a.b', json, 'Symbol(c)'],
    [{ modelOptions: { overrides: { metadata: new Map() } } }, 'modelOptions.overrides.metadata', json, 'Map(0) {}'],
    [
      { modelOptions: { overrides: { a: circular } } },
      'modelOptions.overrides.a.inner[0]',
      json,
      'an object that contains itself',
    ],
    [{ format: 'openai' }, 'format', names, "'openai'"],
    [{ format: 'anthropics' }, 'format', `${names} (did you mean 'anthropic'?)`, "'anthropics'"],
    [{ format: 'constructor' }, 'format', names, "'constructor'"],
    [{ format: null }, 'format', names, 'null'],
    [{ format: 5 }, 'format', names, '5'],
    [{ includeUsage: 'yes' }, 'includeUsage', 'true or false', "'yes'"],
    [{ includeUsage: null }, 'includeUsage', 'true or false', 'null'],
    [{ estimateTokens: 4 }, 'estimateTokens', 'a function', '4'],
    [{ estimateTokens: null }, 'estimateTokens', 'a function', 'null'],
    [{ models: 'gpt-5' }, 'models', models, "'gpt-5'"],
    [{ models: /^gpt/ }, 'models', models, '/^gpt/'],
    [{ models: { 0: 'gpt-5' } }, 'models', models, "{ '0': 'gpt-5' }"],
    [{ models: null }, 'models', models, 'null'],
    [{ models: ['a', 5] }, 'models[1]', "a model's name, or a RegExp", '5'],
    [{ models: [''] }, 'models[0]', "a model's name, or a RegExp", "''"],
    [{ models: [null] }, 'models[0]', "a model's name, or a RegExp", 'null'],
    [{ modelOptions: 5 }, 'modelOptions', 'an object', '5'],
    [{ modelOptions: null }, 'modelOptions', 'an object', 'null'],
    [{ modelOptions: [] }, 'modelOptions', 'an object', '[]'],
    [{ modelOptions: { defaults: 'max' } }, 'modelOptions.defaults', 'an object', "'max'"],
    [{ modelOptions: { overrides: [1] } }, 'modelOptions.overrides', 'an object', '[ 1 ]'],
    [{ modelOptions: { overrides: null } }, 'modelOptions.overrides', 'an object', 'null'],
    [{ overload: true }, 'overload', 'an object, or false', 'true'],
    [{ overload: null }, 'overload', 'an object, or false', 'null'],
    [{ overload: 100 }, 'overload', 'an object, or false', '100'],
    [{ overload: {} }, delay, milliseconds, 'undefined'],
    [{ overload: { maxEventLoopDelayMs: 0 } }, delay, milliseconds, '0'],
    [{ overload: { maxEventLoopDelayMs: '9' } }, delay, milliseconds, "'9'"],
    [{ overload: { maxEventLoopDelayMs: Number.NaN } }, delay, milliseconds, 'NaN'],
    [{ overload: { maxEventLoopDelayMs: Number.POSITIVE_INFINITY } }, delay, milliseconds, 'Infinity'],
    [{ onRequest: 'log' }, 'onRequest', 'a function', "'log'"],
    [{ onAnswer: 'log' }, 'onAnswer', 'a function', "'log'"],
    [{ onResponse: 'log' }, 'onResponse', 'a function', "'log'"],
    [{ onEvent: {} }, 'onEvent', 'a function', '{}'],
    [{ observers: {} }, 'observers', 'a list of observers', '{}'],
    [{ observers: null }, 'observers', 'a list of observers', 'null'],
    [{ observers: [{ onTurn() {} }, undefined] }, 'observers[1]', 'an object', 'undefined'],
    [{ observers: [() => {}] }, 'observers[0]', 'an object', '[Function (anonymous)]'],
    [{ observers: [[]] }, 'observers[0]', 'an object', '[]'],
  ]
  for (const [options, option, takes, got] of table) {
    test(inspect(options, { breakLength: Number.POSITIVE_INFINITY, depth: 2 }), () => {
      assert.equal(complaint({ target, ...options }), `aiProxy: ${option} takes ${takes}; got ${got}`)
    })
  }

  test('modelOptions take what JSON can carry, one object twice, and fields that are undefined', () => {
    const shared = { b: [null, true, 'c', 1.5] }
    const overrides = { temperature: undefined, a: shared, d: shared, e: Object.assign(Object.create(null), { f: 0 }) }
    assert.equal(resolved({ modelOptions: { overrides } }).modelOptions?.overrides, overrides)
  })

  test('holes in a list of observers are rejected', () => {
    assert.match(complaint({ target, observers: new Array(1) }), /observers\[0\] takes an object; got undefined/)
  })
})

describe('an unknown option throws, suggesting a known one', () => {
  const table: [options: Record<string, unknown>, wrong: string, meant: string][] = [
    [{ includeusage: true }, 'includeusage', 'includeUsage'],
    [{ model: ['a'] }, 'model', 'models'],
    [{ modelOption: {} }, 'modelOption', 'modelOptions'],
    [{ observer: [] }, 'observer', 'observers'],
    [{ onRequests: () => {} }, 'onRequests', 'onRequest'],
    [{ onEvents: () => {} }, 'onEvents', 'onEvent'],
    [{ overloaded: {} }, 'overloaded', 'overload'],
    [{ estimateToken: () => 1 }, 'estimateToken', 'estimateTokens'],
    [{ maxEventLoopDelayMs: 5 }, 'maxEventLoopDelayMs', 'overload.maxEventLoopDelayMs'],
    [{ overload: { maxEventLoopDelay: 5 } }, 'overload.maxEventLoopDelay', 'overload.maxEventLoopDelayMs'],
    [{ defaults: {} }, 'defaults', 'modelOptions.defaults'],
    [{ modelOptions: { default: {} } }, 'modelOptions.default', 'modelOptions.defaults'],
    [{ modelOptions: { override: {} } }, 'modelOptions.override', 'modelOptions.overrides'],
    [{ maxOutputTokens: 5 }, 'maxOutputTokens', 'limits.maxOutputTokens'],
    [
      { modelOptions: { maxOutputTokens: 5 } },
      'modelOptions.maxOutputTokens',
      'modelOptions.overrides.maxOutputTokens',
    ],
    [{ modelOptions: { temperatur: 1 } }, 'modelOptions.temperatur', 'modelOptions.overrides.temperature'],
    [{ limits: { maxOutputToken: 5 } }, 'limits.maxOutputToken', 'limits.maxOutputTokens'],
    [{ terminatorGrace: 5 }, 'terminatorGrace', 'limits.terminatorGraceMs'],
  ]
  for (const [options, wrong, meant] of table) {
    test(`${wrong}: ${meant}`, () => {
      const message = complaint({ target, ...options })
      assert.ok(message.startsWith(`aiProxy: there is no option ${wrong}.`), message)
      assert.equal(/Did you mean (\S+)\?/.exec(message)?.[1], meant, message)
    })
  }
})
