import assert from 'node:assert/strict'
import http from 'node:http'
import { describe, test } from 'node:test'
import { resolveOptions } from '../../lib/options/resolve.js'
import { complaint } from '../support/complaint.js'

const exchange = { hookView: () => assert.fail('no function asks') }

const url = 'https://api.openai.com'
const one = { name: 'a', target: url }
const many = (...targets: object[]) => ({ targets })

/** Wrong options, and the beginning of the error: the option, what it takes, and at the end what it got. */
const wrong: readonly (readonly [what: string, options: object, option: string, got: string | RegExp])[] = [
  ['`target` and `targets`', { target: url, targets: [one] }, 'targets', '`target` as well'],
  ['no list', { targets: one }, 'targets', /name: 'a'/],
  ['an empty list', many(), 'targets', '[]'],
  ['null', { targets: null }, 'targets', 'null'],
  ['a target that is no object', { targets: [url] }, 'targets[0]', `'${url}'`],
  ['a target that is null', { targets: [one, null] }, 'targets[1]', 'null'],
  ['a missing name', many({ target: url }), 'targets[0].name', 'undefined'],
  ['an empty name', many({ ...one, name: '' }), 'targets[0].name', "''"],
  ['a name with a space', many({ ...one, name: 'a b' }), 'targets[0].name', "'a b'"],
  ['a name of 65 letters', many({ ...one, name: 'a'.repeat(65) }), 'targets[0].name', /'a{65}'/],
  ['a name twice', many(one, { ...one, name: 'b' }, one), 'targets[2].name', "'a'"],
  ['no URL', many({ name: 'a' }), 'targets[0].target', 'undefined'],
  ['a URL of another kind', many({ name: 'a', target: 'ftp://x' }), 'targets[0].target', "'ftp://x'"],
  ['`auth` together with `targets`', { targets: [one], auth: {} }, 'auth', 'credentials for all of them'],
  ['an unknown header', { targets: [one], headers: { 'x-gate': 'v' } }, 'headers.x-gate', 'one for all of them'],
  ['a key', { targets: [one], headers: { 'X-Api-Key': 'v' } }, 'headers.X-Api-Key', 'one for all of them'],
  ['a wrong header', many({ ...one, headers: { 'x-a': 1 } }), 'targets[0].headers.x-a', 'a number'],
  [
    'a null credential',
    many({ ...one, auth: { headers: { 'x-api-key': null } } }),
    'targets[0].auth.headers.x-api-key',
    /./,
  ],
  ['a wrong proxy option', many({ ...one, proxy: { secure: 'no' } }), 'targets[0].proxy.secure', "'no'"],
  ['no formats', many({ ...one, formats: [] }), 'targets[0].formats', '[]'],
  ['one format', many({ ...one, formats: 'openai-chat' }), 'targets[0].formats', "'openai-chat'"],
  ['an unknown format', many({ ...one, formats: ['openai-chat', 'x-'] }), 'targets[0].formats[1]', "'x-'"],
  ['no models', many({ ...one, models: [] }), 'targets[0].models', '[]'],
  ['a model that is a number', many({ ...one, models: [5] }), 'targets[0].models[0]', '5'],
  ['a wildcard', many({ ...one, models: ['fast-*'] }), 'targets[0].models[0]', "'fast-*'"],
  ['a wildcard in a map', many({ ...one, models: { 'fast-*': 'a' } }), 'targets[0].models', "'fast-*'"],
  ['an alias of nothing', many({ ...one, models: { fast: '' } }), 'targets[0].models.fast', "''"],
  ['an alias of a path', many({ ...one, models: { fast: '../x' } }), 'targets[0].models.fast', "'../x'"],
  ...[0, -1, Number.NaN, Infinity, '1', null].map(
    (weight) =>
      [
        `the weight ${weight}`,
        many({ ...one, weight }),
        'targets[0].weight',
        typeof weight === 'string' ? "'1'" : String(weight),
      ] as const,
  ),
  ['a priority that is none', many({ ...one, priority: 'first' }), 'targets[0].priority', "'first'"],
  ['an endless priority', many({ ...one, priority: Infinity }), 'targets[0].priority', 'Infinity'],
  ['0 concurrent exchanges', many({ ...one, maxConcurrent: 0 }), 'targets[0].maxConcurrent', '0'],
  ['`true` concurrent exchanges', many({ ...one, maxConcurrent: true }), 'targets[0].maxConcurrent', 'true'],
  ['headers of null', many({ ...one, headers: null }), 'targets[0].headers', 'null'],
  ['a proxy of null', many({ ...one, proxy: null }), 'targets[0].proxy', 'null'],
  ['shared headers of null', { targets: [one], headers: null }, 'headers', 'null'],
  [
    'a shared header that is no string',
    { targets: [one], headers: { 'user-agent': 5 } },
    'headers.user-agent',
    'a number',
  ],
  ['a shared proxy of null', { targets: [one], proxy: null }, 'proxy', 'null'],
  ['a shared proxy with a wrong value', { targets: [one], proxy: { secure: 1 } }, 'proxy.secure', '1'],
  [
    'forwarded credentials together with a target that has some',
    { targets: [one, { ...one, name: 'b', auth: { headers: { 'x-api-key': 'v' } } }], forwardCredentials: true },
    'forwardCredentials',
    'true with such credentials',
  ],
]

describe('an error names the option, what it takes and what it got, for', () => {
  for (const [what, options, option, got] of wrong) {
    test(what, () => {
      const message = complaint(options)
      const start = `aiProxy: ${option} takes `
      assert.ok(message.startsWith(start), message)
      const [takes = '', said = ''] = message.slice(start.length).split('; got ')
      assert.ok(takes.length > 5, message)
      if (typeof got === 'string') assert.equal(said, got, message)
      else assert.match(said, got)
    })
  }

  test('an option of a target that does not exist', () => {
    assert.match(
      complaint(many({ ...one, wieght: 2 })),
      /no option targets\[0\]\.wieght\. Did you mean targets\[0\]\.weight\?/,
    )
  })

  test('a secret in a URL, which it does not show', () => {
    const message = complaint(many({ name: 'a', target: 'https://me:hunter2@api.test?key=sk-1' }))
    assert.match(message, /^aiProxy: targets\[0\]\.target takes /)
    assert.doesNotMatch(message, /hunter2|sk-1/)
  })

  test('a secret in a shared header, which it does not show', () => {
    assert.doesNotMatch(complaint({ targets: [one], headers: { authorization: 'Bearer sk-1' } }), /sk-1/)
  })
})

describe('what targets may inherit', () => {
  const wrong: [option: string, value: unknown, message: RegExp][] = [
    ['headers', null, /: headers takes an object; got null$/],
    ['headers', 'x', /: headers takes an object; got a string$/],
    ['headers', { 'user-agent': 5 }, /: headers\.user-agent takes a string; got a number$/],
    ['proxy', null, /: proxy takes an object; got null$/],
    ['proxy', { secure: 'no' }, /: proxy\.secure takes true or false; got 'no'$/],
  ]
  for (const [option, value, message] of wrong) {
    test(`is valid where it is written: ${option} ${JSON.stringify(value)}`, () => {
      assert.match(complaint({ targets: [one], [option]: value }), message)
      assert.match(complaint({ targets: [{ ...one, headers: {}, proxy: {} }], [option]: value }), message)
      const own = new RegExp(message.source.replace(': ', ': targets\\[0\\]\\.'))
      assert.match(complaint(many({ ...one, [option]: value })), own)
    })
  }

  test('is an agent that suits each target', () => {
    const proxy = { agent: new http.Agent() }
    assert.match(
      complaint({ targets: [one], proxy }),
      /targets\[0\]\.proxy\.agent takes an agent for the target's https:/,
    )
  })
})

test('an error about a priority asks for a finite number', () => {
  assert.match(complaint(many({ ...one, priority: Number.NaN })), /priority takes a finite number; got NaN$/)
})

describe('a target', () => {
  const targetsOf = (options: object) => resolveOptions(options as never).routing!.targets

  test('has its defaults', () => {
    const [target] = targetsOf(many(one))
    const { config, models, ...rest } = target!
    assert.deepEqual(rest, { name: 'a', formats: undefined, weight: 1, priority: 0, maxConcurrent: Infinity })
    assert.deepEqual([config.origin, models.names, models.modelFor('any')], [url, undefined, { name: 'any' }])
  })

  test('inherits headers and proxy if it sets none', () => {
    const [first, second] = targetsOf({
      targets: [one, { ...one, name: 'b', headers: { 'x-app': 'own' }, proxy: { xfwd: false } }],
      headers: { 'x-app': 'shared', 'openai-beta': 'x' },
      proxy: { xfwd: true },
    })
    assert.deepEqual(first!.config.headers, [
      ['x-app', 'shared'],
      ['openai-beta', 'x'],
    ])
    assert.equal(first!.config.proxy.xfwd, true)
    assert.deepEqual(second!.config.headers, [['x-app', 'own']])
    assert.equal(second!.config.proxy.xfwd, false)
  })

  test('takes no credentials of its neighbour', () => {
    const targets = targetsOf(many({ ...one, auth: { headers: { 'x-api-key': 'v' } } }, { ...one, name: 'b' }))
    assert.deepEqual(
      targets.map(({ config }) => config.auth.headers.length),
      [1, 0],
    )
  })

  test('forwards no credentials of the client if any target holds some', () => {
    const targets = targetsOf(many({ ...one, auth: { headers: { 'x-api-key': 'v' } } }, { ...one, name: 'b' }))
    assert.deepEqual(
      targets.map(({ config }) => config.forwards('authorization', exchange)),
      [false, false],
    )
    assert.equal(targetsOf(many(one))[0]!.config.forwards('authorization', exchange), true)
  })

  test('may have a name, a priority and formats of any kind that is valid', () => {
    const [target] = targetsOf(
      many({ ...one, name: 'eu-1.azure:key_2', priority: -1.5, formats: ['x-own', 'anthropic'], maxConcurrent: false }),
    )
    assert.deepEqual(
      [target!.name, target!.priority, [...target!.formats!]],
      ['eu-1.azure:key_2', -1.5, ['x-own', 'anthropic']],
    )
  })
})
