import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Mutation, placeOf } from './mutation.js'
import { mutations } from './mutations.js'

const root = join(__dirname, '../..')
const mutation: Mutation = { part: 'limits', text: 'a > b', becomes: 'a >= b', tests: ['limits.test.ts'] }
const place = (sources: Record<string, string>, change: Partial<Mutation> = {}) =>
  placeOf({ ...mutation, ...change }, new Map(Object.entries(sources)), (path) => path === 'limits.test.ts')

describe('a mutation is found by its text', () => {
  test('in whatever file it is', () => {
    assert.deepEqual(place({ 'lib/a.ts': 'c', 'lib/b.ts': 'if (a > b) c' }), {
      file: 'lib/b.ts',
      mutated: 'if (a >= b) c',
    })
  })

  test('and is stale if it is missing, or not unique', () => {
    assert.deepEqual(place({ 'lib/a.ts': 'a < b' }), { stale: 'its text is no longer in lib/' })
    assert.deepEqual(place({ 'lib/a.ts': 'a > b || a > b' }), { stale: 'its text is in lib/a.ts more than once' })
    assert.deepEqual(place({ 'lib/a.ts': 'a > b', 'lib/c.ts': 'a > b' }), {
      stale: 'its text is in lib/a.ts and lib/c.ts',
    })
  })

  test('and is stale if it changes nothing, or its tests are gone', () => {
    assert.deepEqual(place({ 'lib/a.ts': 'a > b' }, { becomes: 'a > b' }), { stale: 'it changes nothing' })
    assert.deepEqual(place({ 'lib/a.ts': 'a > b' }, { tests: ['gone.test.ts'] }), {
      stale: 'there is no test gone.test.ts',
    })
  })
})

describe('the mutations', () => {
  const sources = new Map(
    readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => [`lib/${path}`, readFileSync(join(root, 'lib', path), 'utf8')]),
  )

  test('include some for every critical part', () => {
    const parts = new Set(mutations.map(({ part }) => part))
    const mattering = [
      'framing',
      'formats',
      'limits',
      'scheduling',
      'credentials',
      'retry',
      'routing',
      'ends',
      'masking',
      'memory',
      'metering',
      'quota',
      'queue',
      'prices',
      'journal',
      'resume',
      'cache',
      'join',
      'client',
    ]
    for (const part of mattering) assert.ok(parts.has(part), part)
    const distinct = new Set(mutations.map(({ text, becomes }) => `${text}\n${becomes}`))
    assert.equal(distinct.size, mutations.length)
  })

  test('can all be applied: a change to their code must be made in test/mutation/mutations/ as well', () => {
    const stale = mutations.flatMap((each) => {
      const place = placeOf(each, sources, (path) => existsSync(join(root, path)))
      return 'stale' in place ? [`${each.part}: ${each.text} (${place.stale})`] : []
    })
    assert.deepEqual(stale, [])
  })
})
