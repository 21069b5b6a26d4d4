import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { followingBatches } from '../../lib/journal/following-batches.js'
import { pageOf, parseEntry, parseStreams } from '../../lib/journal/redis-answers.js'
import { decodeItem, encodeItem } from '../../lib/journal/redis-items.js'
import { RetainedItems } from '../../lib/journal/redis-retained.js'
import { batchOf } from './support.js'

const bytes = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  fc.uint8Array().map((array) => Buffer.from(array)),
)
const batches = fc
  .array(fc.array(bytes, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 })
  .map((lists) => {
    let first = 1
    return lists.map((events) => {
      const batch = batchOf(first, ...events)
      first += events.length
      return batch
    })
  })

const decoded = ({ last, first, encoding, data, meta }: ReturnType<typeof encodeItem>) =>
  decodeItem(`${last}-0`, String(first), encoding, data, meta)

describe('items of a stream', () => {
  test('give back the batches that went into them, whatever bytes they have', () => {
    fc.assert(fc.property(batches, (some) => assert.deepEqual(decoded(encodeItem(some)), some)))
  })

  test('have text as it is, and anything else in base64, also if characters are cut between batches', () => {
    const euro = Buffer.from('€')
    const cut = [batchOf(1, euro.subarray(0, 1)), batchOf(2, euro.subarray(1))]
    assert.deepEqual({ ...encodeItem(cut) }, { last: 2, first: 1, encoding: 't', data: '€', meta: '[[10,1],[20,2]]' })
    assert.deepEqual(decoded(encodeItem(cut)), cut)
    assert.equal(encodeItem(cut.slice(0, 1)).encoding, 'b')
  })

  test('keep moments to the microsecond', () => {
    assert.equal(encodeItem([{ ...batchOf(1, 'a'), at: 12.3456789 }]).meta, '[[12.346,1]]')
  })

  const good = ['2-0', '1', 't', 'onetwo', '[[0,3,3]]'] as const
  for (const [what, at, value] of [
    ['no number', 0, 'x-0'],
    ['a number that does not fit', 0, '3-0'],
    ['no first event', 1, undefined],
    ['an unknown encoding', 2, 'z'],
    ['no data', 3, undefined],
    ['too little data', 3, 'onetw'],
    ['too much data', 3, 'onetwothree'],
    ['no ends', 4, '[]'],
    ['a size below 0', 4, '[[0,7,-1]]'],
    ['a size that is no number', 4, '[[0,"3",3]]'],
    ['what is no JSON', 4, '[[0,3,3'],
  ] as const) {
    test(`are rejected with ${what}, without their content`, () => {
      const item: unknown[] = [...good]
      item[at] = value
      assert.throws(
        () => decodeItem(item[0], item[1], item[2], item[3], item[4]),
        (error: Error) => /unexpected item/.test(error.message) && !error.message.includes('one'),
      )
    })
  }
})

describe('answers about an entry', () => {
  const item = ['2-0', '1', 't', 'onetwo', '[[0,3,3]]']
  const good: readonly unknown[] = [1, 'p', '{}', '{"status":200,"headers":{}}', '', '2', '1', '2-0', [item]]

  test('are understood', () => {
    const page = pageOf(parseEntry(good), 1, 100)
    assert.deepEqual(page, {
      ...{ state: 'open', about: '{}', end: undefined, oldest: 1, newest: 2 },
      head: { status: 200, headers: {}, framing: undefined },
      batches: [{ first: 1, bytes: Buffer.from('onetwo'), ends: [3, 6], at: 0 }],
    })
    assert.equal(pageOf(parseEntry([]), 0, 1).state, 'missing')
    assert.equal(pageOf(parseEntry([0, ...good.slice(1)]), 2, 100).state, 'lost')
    assert.equal(pageOf(parseEntry(good.with(4, '{"how":"failed","about":""}')), 2, 100).state, 'ended')
  })

  test('are understood if a client makes texts of numbers', () => {
    assert.equal(pageOf(parseEntry(['1', ...good.slice(1)]), 2, 100).state, 'open')
  })

  test('that lack events that should be there are about a missing entry', () => {
    const info = parseEntry(good.with(8, []))
    assert.equal(pageOf(info, 0, 100).state, 'missing')
    assert.equal(pageOf(info, 2, 100).state, 'open')
    const later = ['3-0', '3', 't', 'three', '[[0,5]]']
    assert.equal(pageOf(parseEntry(good.with(5, '3').with(8, [later])), 0, 100).state, 'missing')
  })

  test('are rejected if they are something else', () => {
    const wrong: unknown[] = [
      null,
      'OK',
      1,
      {},
      [1],
      good.slice(0, 5),
      good.with(1, null),
      good.with(3, '{'),
      good.with(3, '1'),
    ]
    wrong.push(good.with(4, '{"how":"no","about":""}'), good.with(5, '-1'), good.with(5, '1e99'), good.with(8, [1]))
    for (const answer of wrong) assert.throws(() => parseEntry(answer), /Redis sent an unexpected/)
  })

  test('of all kinds of clients have the same streams', () => {
    const items = [['1-0', ['a', 'b']]]
    const expected = new Map([['s', [['1-0', new Map([['a', 'b']])]]]])
    const forms: unknown[] = [
      [['s', items]],
      ['s', items],
      new Map([['s', items]]),
      { s: items },
      [['s', [['1-0', { a: 'b' }]]]],
    ]
    for (const form of forms) assert.deepEqual(parseStreams(form), expected)
    assert.deepEqual([parseStreams(null), parseStreams(undefined), parseStreams([])], [new Map(), new Map(), new Map()])
    for (const form of ['OK', 1, ['s'], [['s', 'x']], [['s', [1]]], [['s', [['1-0', 'x']]]]]) {
      assert.throws(() => parseStreams(form), /unexpected answer/)
    }
  })
})

describe('the batches that follow an event', () => {
  test('are those that a search from the start finds', () => {
    fc.assert(
      fc.property(batches, fc.nat(30), fc.integer({ min: 1, max: 100 }), (some, after, maxBytes) => {
        const later = some.filter(({ first, ends }) => first + ends.length - 1 > after)
        const found = followingBatches(some, after, maxBytes)
        assert.deepEqual(found, later.slice(0, found.length))
        const size = (list: typeof some) => list.reduce((sum, batch) => sum + batch.bytes.length, 0)
        assert.ok(found.length === later.length || size(found) >= maxBytes)
        assert.ok(found.length === 0 || size(found.slice(0, -1)) < maxBytes)
      }),
    )
  })
})

describe('what is kept of a stream', () => {
  test('is never more than it may be, but for one item, and is known from little', () => {
    const sizes = fc.array(fc.oneof(fc.nat(50), fc.nat(3000)), { maxLength: 300 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), sizes, (maxBytes, some) => {
        const retained = new RetainedItems(maxBytes)
        retained.add(1, 0)
        let stream = [{ first: 1, size: 0 }]
        for (const [at, size] of some.entries()) {
          const first = at + 1
          retained.add(first, size)
          stream.push({ first, size })
          const trim = retained.trim()
          if (trim) {
            stream = stream.slice(-trim.kept)
            assert.equal(stream.length, trim.kept)
            assert.equal(stream[0]!.first, trim.oldest)
          }
          const bytes = stream.reduce((sum, each) => sum + each.size, 0)
          const largest = Math.max(...stream.map((each) => each.size))
          assert.equal(retained.bytes, bytes)
          assert.ok(bytes <= maxBytes || bytes - largest <= maxBytes / 32, `${bytes} of ${maxBytes}`)
        }
      }),
    )
  })
})
