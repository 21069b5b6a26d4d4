import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { TargetModels } from '../../lib/api/targets.js'
import { compileTargetModels } from '../../lib/options/target-models.js'

const OPTION = 'targets[0].models'
const compile = (option: unknown) => compileTargetModels(option as TargetModels, OPTION)
const nameFor = (option: unknown, model: string | undefined) => compile(option).modelFor(model)?.name

describe('the models of a target', () => {
  test('are all models, under their own names, if the option is not set', () => {
    const { modelFor, names, renames } = compile(undefined)
    assert.deepEqual(modelFor('anything'), { name: 'anything' })
    assert.deepEqual(modelFor('constructor'), { name: 'constructor' })
    assert.deepEqual([names, renames], [undefined, false])
  })

  for (const [option, served, rejected] of [
    [['gpt-5', 'o3'], { 'gpt-5': 'gpt-5', o3: 'o3' }, ['gpt-5-mini', 'GPT-5', '', 'constructor', '__proto__']],
    [{ fast: 'gpt-4.1-mini' }, { fast: 'gpt-4.1-mini' }, ['gpt-4.1-mini', 'toString', 'constructor']],
    [[{ fast: 'a', slow: 'b' }, 'c'], { fast: 'a', slow: 'b', c: 'c' }, ['a', 'b']],
    [[/^gpt-/, { 'gpt-x': 'y' }], { 'gpt-5': 'gpt-5', 'gpt-x': 'y' }, ['my-gpt-', 'y']],
    [[{ fast: 'x' }, { slow: 'x' }], { fast: 'x', slow: 'x' }, ['x']],
    [['a', { a: 'a' }], { a: 'a' }, []],
    [{ constructor: 'x' }, { constructor: 'x' }, ['toString']],
    [JSON.parse('{"__proto__":"x"}'), { ['__proto__']: 'x' }, ['constructor']],
    [
      { big: 'arn:aws:bedrock:us-east-1:1:inference-profile/us.claude' },
      { big: 'arn:aws:bedrock:us-east-1:1:inference-profile/us.claude' },
      [],
    ],
    [['@cf/meta/llama-3.1-8b', 'my own', 'größe'], { '@cf/meta/llama-3.1-8b': '@cf/meta/llama-3.1-8b' }, []],
  ] as [unknown, Record<string, string>, string[]][]) {
    test(
      JSON.stringify(option, (_, value) => (value instanceof RegExp ? String(value) : value)),
      () => {
        for (const [model, name] of Object.entries(served)) assert.equal(nameFor(option, model), name, model)
        for (const model of rejected) assert.equal(compile(option).modelFor(model), undefined, model)
      },
    )
  }

  test('serve a request that names none, whose name then stays unknown', () => {
    for (const option of [undefined, ['a'], { a: 'b' }, [/x/]]) {
      assert.deepEqual(compile(option).modelFor(undefined), { name: undefined })
    }
  })

  test('are known by name unless a RegExp is among them', () => {
    assert.deepEqual(compile(['a', { b: 'c' }, 'a']).names, ['a', 'b'])
    assert.equal(compile(['a', /b/]).names, undefined)
  })

  test('are renamed if the provider calls one of them otherwise', () => {
    assert.equal(compile(['a', /b/, { c: 'c' }]).renames, false)
    assert.equal(compile(['a', { c: 'd' }]).renames, true)
  })

  test('match a RegExp from its start each time, whatever its flags', () => {
    const pattern = /^a/gy
    pattern.lastIndex = 1
    const { modelFor } = compile([pattern])
    for (let time = 0; time < 3; time++) assert.deepEqual(modelFor('ab'), { name: 'ab' })
    assert.equal(pattern.lastIndex, 1)
  })

  test('never match an overlong name with a RegExp', () => {
    const { modelFor } = compile([/./])
    assert.equal(modelFor('x'.repeat(257)), undefined)
    assert.deepEqual(modelFor('x'.repeat(256)), { name: 'x'.repeat(256) })
  })

  test('do not change with the option', () => {
    const map: Record<string, string> = { a: 'b' }
    const rules: unknown[] = [map]
    const { modelFor, names } = compile(rules)
    map.a = 'c'
    rules.push('d')
    assert.deepEqual([modelFor('a'), modelFor('d'), names], [{ name: 'b' }, undefined, ['a']])
  })

  test('are found by exactly the names of a map, whatever these are, but for `*`', () => {
    const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !text.includes('*'))
    fc.assert(
      fc.property(fc.uniqueArray(name), name, (names, other) => {
        fc.pre(names.length > 0)
        const map = Object.fromEntries(names.map((each, at) => [each, `p${at}`]))
        for (const [at, each] of names.entries()) assert.equal(nameFor([map], each), `p${at}`)
        assert.equal(nameFor([map], other), names.includes(other) ? `p${names.indexOf(other)}` : undefined)
      }),
    )
  })
})

describe('invalid models of a target', () => {
  for (const [option, message] of [
    ['gpt-5', /^aiProxy: targets\[0\]\.models takes a list of names, .*; got 'gpt-5'$/],
    [null, /^aiProxy: targets\[0\]\.models takes .*; got null$/],
    [/x/, /^aiProxy: targets\[0\]\.models takes .*; got \/x\/$/],
    [new Map([['a', 'b']]), /^aiProxy: targets\[0\]\.models takes .*; got Map\(1\)/],
    [[], /^aiProxy: targets\[0\]\.models takes a list with at least one .*; got \[\]$/],
    [{}, /^aiProxy: targets\[0\]\.models takes a map with at least one .*; got \{\}$/],
    [['a', {}], /^aiProxy: targets\[0\]\.models\[1\] takes a map with at least one .*; got \{\}$/],
    [['a', 7], /^aiProxy: targets\[0\]\.models\[1\] takes a model's name, .*; got 7$/],
    [['a', ['b']], /^aiProxy: targets\[0\]\.models\[1\] takes a model's name, .*; got \[ 'b' \]$/],
    [['a', ''], /^aiProxy: targets\[0\]\.models\[1\] takes names of models that have 1 to 256 characters; got ''$/],
    [{ '': 'x' }, /^aiProxy: targets\[0\]\.models takes names of models .*; got ''$/],
    [{ fast: '' }, /^aiProxy: targets\[0\]\.models\.fast takes the provider's name of a model; got ''$/],
    [[{ fast: 7 }], /^aiProxy: targets\[0\]\.models\[0\]\.fast takes the provider's name of a model; got 7$/],
    [['a', { a: 'b' }], /^aiProxy: targets\[0\]\.models\[1\]\.a takes one meaning of "a", which is a before; got 'b'$/],
    [[{ a: 'b' }, { a: 'c' }], /^aiProxy: targets\[0\]\.models\[1\]\.a takes one meaning of "a", .*; got 'c'$/],
    [['x'.repeat(257)], /takes names of models that have 1 to 256 characters/],
    ...[
      '..',
      '.',
      'a/../b',
      '/a',
      'a/',
      'a//b',
      '..;x',
      'a\\b',
      'a%2fb',
      'a?b',
      'a#b',
      ' a',
      'a\n',
      'a\0',
      '\ud800',
    ].map((name) => [{ fast: name }, /^aiProxy: targets\[0\]\.models\.fast takes a name that can stand in a path/]),
  ] as [unknown, RegExp][]) {
    test(inspect(option), () => {
      assert.throws(() => compile(option), { name: 'TypeError', message })
    })
  }
})
