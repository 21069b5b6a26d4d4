import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Journal, JournalPage } from '../../lib/api/journal.js'
import { MemoryJournal, memoryJournal } from '../../lib/journal/memory-journal.js'
import { batchOf, entryOf, eventsAfter, Told } from './support.js'

const head = { status: 200, headers: { 'content-type': 'text/event-stream' }, framing: 'sse' }
const complete = { how: 'complete', about: '{}' } as const

function journalAt(t: TestContext, maxBytes = 1e9) {
  const clock = { now: 1000 }
  const journal = new MemoryJournal(maxBytes, () => clock.now)
  t.after(() => journal.close())
  return { clock, journal }
}

/** Lets callbacks of this round of the event loop be called. */
const callbacks = () => new Promise<void>((resolve) => setImmediate(resolve))

const stateOf = (journal: Journal, id: string) => (journal.read(id, 0, 1e6) as JournalPage).state
const text = (size: number) => 'x'.repeat(size)

describe('names in memory', () => {
  test('go by their last use, not by when they were set', async (t) => {
    const { journal } = journalAt(t, 20_000)
    await journal.put('hot', 'used all the time', 60_000)
    for (let at = 0; at < 1000; at++) {
      await journal.put(`cold ${at}`, 'used once', 60_000)
      assert.equal(await journal.get('hot'), 'used all the time')
    }
    assert.equal(await journal.get('cold 0'), undefined)
  })
})

describe('entries in memory', () => {
  test('keep nothing of who wrote them once they have ended', async (t) => {
    const { journal } = journalAt(t)
    const told = (() => {
      const writes = new Told()
      journal.create(entryOf('a'), writes).end(complete)
      return new WeakRef(writes)
    })()
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    for (let turn = 0; turn < 20 && told.deref(); turn++) {
      await callbacks()
      collect()
    }
    assert.equal(told.deref(), undefined)
    assert.equal(stateOf(journal, 'a'), 'ended')
  })

  test('leave what was read from them as it is, although their memory is used again', (t) => {
    const { journal } = journalAt(t)
    const size = 64 * 1024
    const write = (id: string, letter: string) => {
      const writer = journal.create(entryOf(id), new Told())
      for (let number = 1; number <= 4; number++) writer.append(batchOf(number, letter.repeat(size)))
      writer.end(complete)
    }
    // Nobody has read the first: the second may have its memory.
    write('a', 'a')
    journal.remove('a')
    write('b', 'b')
    const { batches } = journal.read('b', 0, 1e6) as JournalPage
    journal.remove('b')
    write('c', 'c')
    assert.equal(batches.length, 4)
    for (const { bytes } of batches) assert.ok(bytes.equals(Buffer.from('b'.repeat(size))))
  })

  test('are read as they were written', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a'), new Told())
    assert.deepEqual(journal.read('a', 0, 1e6), {
      ...{ state: 'open', about: '{"id":"a"}', head: undefined, batches: [], oldest: 1, newest: 0, end: undefined },
    })
    writer.setHead(head)
    writer.append(batchOf(1, 'one', 'two'))
    writer.append(batchOf(3, 'three'))
    writer.end(complete)
    const page = journal.read('a', 1, 1e6)
    assert.deepEqual(
      { ...page, batches: page.batches.map((batch) => ({ ...batch, bytes: batch.bytes.toString() })) },
      {
        state: 'ended',
        about: '{"id":"a"}',
        head,
        batches: [
          { first: 1, bytes: 'onetwo', ends: [3, 6], at: 10 },
          { first: 3, bytes: 'three', ends: [5], at: 30 },
        ],
        oldest: 1,
        newest: 3,
        end: complete,
      },
    )
  })

  test('keep their own copy of small batches, and their order in large ones', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a'), new Told())
    const events = [text(1), text(4000), text(5000), text(100_000), text(3), text(2000)]
    for (const [at, event] of events.entries()) {
      const batch = batchOf(at + 1, event)
      writer.append(batch)
      if (batch.bytes.length <= 4096) batch.bytes.fill(0)
    }
    const { batches } = journal.read('a', 0, 1e9)
    assert.deepEqual(Object.values(eventsAfter(batches, 0)), events)
  })

  test('are read in parts of about the size that is asked for, at least one event', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a'), new Told())
    for (let number = 1; number <= 100; number++) writer.append(batchOf(number, text(10)))
    const firsts = (after: number, maxBytes: number) =>
      journal.read('a', after, maxBytes).batches.map(({ first }) => first)
    assert.deepEqual(firsts(0, 1), [1])
    assert.deepEqual(firsts(50, 30), [51, 52, 53])
    assert.deepEqual(firsts(50, 31), [51, 52, 53, 54])
    assert.deepEqual(firsts(99, 1000), [100])
    assert.deepEqual(firsts(100, 1000), [])
  })

  test('take nothing after their end, and nothing after they were discarded', async (t) => {
    const { journal } = journalAt(t)
    const told = new Told()
    const writer = journal.create(entryOf('a'), told)
    writer.append(batchOf(1, 'one'))
    writer.end(complete)
    writer.append(batchOf(2, 'two'))
    writer.setHead(head)
    writer.end({ how: 'failed', about: '' })
    const page = journal.read('a', 0, 1e6)
    assert.deepEqual([page.newest, page.head, page.end], [1, undefined, complete])
    writer.discard()
    assert.equal(stateOf(journal, 'a'), 'missing')
    const other = journal.create(entryOf('b'), told)
    other.discard()
    other.append(batchOf(1, 'one'))
    other.end(complete)
    await callbacks()
    assert.equal(stateOf(journal, 'b'), 'missing')
    assert.deepEqual([told.failures, journal.stats().bytes], [[], 0])
  })

  test('lose their oldest events if they trim', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a', { maxBytes: 30, trims: true }), new Told())
    for (let number = 1; number <= 5; number++) writer.append(batchOf(number, text(10)))
    const page = journal.read('a', 0, 1e6)
    assert.deepEqual([page.oldest, page.newest, Object.keys(eventsAfter(page.batches, 0))], [3, 5, ['3', '4', '5']])
    // The newest batch stays, however long it is.
    writer.append(batchOf(6, text(50)))
    assert.deepEqual(Object.keys(eventsAfter(journal.read('a', 0, 1e6).batches, 0)), ['6'])
  })

  test('that do not trim are dropped if they become too long, and the writer is told', async (t) => {
    const { journal } = journalAt(t)
    const told = new Told()
    const writer = journal.create(entryOf('a', { maxBytes: 30 }), told)
    let changes = 0
    journal.watch('a', () => changes++)
    writer.append(batchOf(1, text(30)))
    assert.equal(stateOf(journal, 'a'), 'open')
    writer.append(batchOf(2, text(1)))
    assert.deepEqual([stateOf(journal, 'a'), changes, told.failures], ['missing', 2, []])
    await callbacks()
    assert.deepEqual([told.failures, journal.stats().bytes], [[undefined], 0])
  })

  test('of other journals and other names are missing', (t) => {
    const { journal } = journalAt(t)
    journal.create(entryOf('a'), new Told())
    for (const id of ['', 'b', 'A', '__proto__', 'constructor']) assert.equal(stateOf(journal, id), 'missing')
  })
})

describe('what is kept in memory, and for how long', () => {
  test('an entry is kept for its time after its end, and for longer if asked', (t) => {
    const { clock, journal } = journalAt(t)
    for (const id of ['a', 'b']) journal.create(entryOf(id, { keepMs: 500 }), new Told()).end(complete)
    journal.create(entryOf('open', { keepMs: 500 }), new Told())
    clock.now += 499
    journal.keep('b', 1000)
    journal.keep('open', 1)
    assert.deepEqual([stateOf(journal, 'a'), stateOf(journal, 'b')], ['ended', 'ended'])
    clock.now += 1
    assert.deepEqual([stateOf(journal, 'a'), stateOf(journal, 'b')], ['missing', 'ended'])
    journal.keep('a', 1000)
    assert.equal(stateOf(journal, 'a'), 'missing')
    clock.now += 999
    assert.deepEqual([stateOf(journal, 'b'), stateOf(journal, 'open')], ['missing', 'open'])
  })

  test('a time that is over cannot be extended, although nothing was removed yet', (t) => {
    const { clock, journal } = journalAt(t)
    journal.create(entryOf('a', { keepMs: 500 }), new Told()).end(complete)
    clock.now += 500
    journal.keep('a', 1000)
    assert.equal(stateOf(journal, 'a'), 'missing')
  })

  test('sweeps remove what is over, some at a time', (t) => {
    const { clock, journal } = journalAt(t)
    for (let number = 0; number < 2500; number++) {
      journal.create(entryOf(`e${number}`, { keepMs: number % 2 ? 1000 : 10 }), new Told()).end(complete)
      journal.put(`n${number}`, 'v', number % 2 ? 1000 : 10)
    }
    clock.now += 10
    const left = [1, 2, 3].map(() => {
      journal.sweep()
      return journal.stats().entries
    })
    assert.deepEqual(left, [2000, 1500, 1250])
    clock.now += 1000
    for (let round = 0; round < 4; round++) journal.sweep()
    assert.deepEqual(journal.stats(), { entries: 0, bytes: 0, failures: 0, incomplete: 0 })
  })

  test('the entry that was used longest ago goes first, those under way last', async (t) => {
    const { journal } = journalAt(t, 35_000)
    const told = new Told()
    const open = journal.create(entryOf('open'), told)
    for (const id of ['a', 'b', 'c']) {
      const writer = journal.create(entryOf(id), told)
      writer.append(batchOf(1, text(8000)))
      writer.end(complete)
    }
    assert.equal(stateOf(journal, 'a'), 'ended')
    open.append(batchOf(1, text(8000)))
    const there = () => ['a', 'b', 'c', 'open'].filter((id) => stateOf(journal, id) !== 'missing')
    assert.deepEqual(there(), ['a', 'c', 'open'])
    assert.ok(journal.stats().bytes <= 35_000)
    open.append(batchOf(2, text(8000)))
    assert.deepEqual([there(), told.failures], [['open'], []])
    // Then even that, and its writer is told.
    open.append(batchOf(3, text(20_000)))
    await callbacks()
    assert.deepEqual([there(), told.failures, journal.stats().bytes], [[], [undefined], 0])
  })

  test('the memory of events counts, and not only what is used of it', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a'), new Told())
    const { bytes } = journal.stats()
    writer.append(batchOf(1, text(600)))
    const first = journal.stats().bytes - bytes
    assert.ok(first > 1024 && first < 2048)
    // Its bytes fit into the same memory.
    writer.append(batchOf(2, text(100)))
    assert.ok(journal.stats().bytes - bytes - first < 100)
  })

  test('trimming an entry comes before dropping others', (t) => {
    const { journal } = journalAt(t, 25_000)
    journal.create(entryOf('a'), new Told()).end(complete)
    const writer = journal.create(entryOf('b', { maxBytes: 12_000, trims: true }), new Told())
    for (let number = 1; number <= 10; number++) writer.append(batchOf(number, text(11_000)))
    assert.deepEqual([stateOf(journal, 'a'), stateOf(journal, 'b')], ['ended', 'open'])
  })

  test('what an entry is about, its head and its end count too', (t) => {
    const { journal } = journalAt(t, 50_000)
    const told = new Told()
    journal.create(entryOf('about', { about: text(45_000) }), told).end(complete)
    const writer = journal.create(entryOf('head'), told)
    writer.setHead({ ...head, headers: { x: text(45_000) } })
    assert.deepEqual([stateOf(journal, 'about'), stateOf(journal, 'head')], ['missing', 'open'])
    writer.setHead(head)
    journal.create(entryOf('end'), told).end({ how: 'complete', about: text(40_000) })
    assert.equal(stateOf(journal, 'end'), 'ended')
    journal.create(entryOf('next', { about: text(10_000) }), told)
    assert.deepEqual([stateOf(journal, 'end'), stateOf(journal, 'next')], ['missing', 'open'])
  })

  test('a journal without any room drops each entry, without an error in its writer', async (t) => {
    const { journal } = journalAt(t, 0)
    const told = new Told()
    const writer = journal.create(entryOf('a'), told)
    assert.deepEqual(told.failures, [])
    writer.setHead(head)
    writer.append(batchOf(1, 'one'))
    writer.end(complete)
    assert.equal(journal.put('name', 'value', 1000), true)
    assert.equal(journal.get('name'), undefined)
    await callbacks()
    assert.deepEqual([told.failures, journal.stats().bytes, stateOf(journal, 'a')], [[undefined], 0, 'missing'])
  })
})

describe('those who watch, in memory', () => {
  test('are called back for a head, events and the end, and counted until they stop', (t) => {
    const { journal } = journalAt(t)
    const told = new Told()
    const writer = journal.create(entryOf('a'), told)
    let changes = 0
    const onChange = () => changes++
    const stops = [journal.watch('a', onChange), journal.watch('a', onChange)]
    assert.deepEqual([writer.readers, told.readers], [2, 2])
    writer.setHead(head)
    writer.append(batchOf(1, 'one'))
    assert.equal(changes, 4)
    stops[0]!()
    stops[0]!()
    assert.deepEqual([writer.readers, told.readers], [1, 3])
    writer.end(complete)
    assert.equal(changes, 5)
    stops[1]!()
    assert.equal(told.readers, 3)
  })

  test('are called back if the entry goes', (t) => {
    const { clock, journal } = journalAt(t)
    let changes = 0
    const begin = (id: string) => {
      const writer = journal.create(entryOf(id, { keepMs: 10 }), new Told())
      journal.watch(id, () => changes++)
      return writer
    }
    begin('a').discard()
    assert.equal(changes, 1)
    begin('b')
    journal.remove('b')
    assert.equal(changes, 2)
    begin('c').end(complete)
    clock.now += 10
    journal.sweep()
    assert.deepEqual([changes, stateOf(journal, 'c')], [4, 'missing'])
  })

  test('may stop while they are called back', (t) => {
    const { journal } = journalAt(t)
    const writer = journal.create(entryOf('a'), new Told())
    const seen: string[] = []
    const stopFirst = journal.watch('a', () => {
      seen.push('first')
      stopFirst()
    })
    journal.watch('a', () => seen.push('second'))
    writer.append(batchOf(1, 'one'))
    writer.append(batchOf(2, 'two'))
    assert.deepEqual(seen, ['first', 'second', 'second'])
  })

  test('ask for a stop, which only an open entry gets', (t) => {
    const { journal } = journalAt(t)
    const told = new Told()
    const writer = journal.create(entryOf('a'), told)
    journal.stop('a')
    journal.stop('b')
    writer.end(complete)
    journal.stop('a')
    assert.equal(told.stops, 1)
  })

  test('of a missing entry are no error', (t) => {
    const { journal } = journalAt(t)
    journal.watch('a', () => assert.fail('called back'))()
  })
})

describe('names in memory', () => {
  test('have their values for their time', async (t) => {
    const { clock, journal } = journalAt(t)
    assert.equal(journal.put('a', '1', 100), true)
    clock.now += 99
    assert.equal(journal.put('a', '2', 100, true), false)
    assert.equal(journal.get('a'), '1')
    clock.now += 1
    assert.deepEqual([journal.get('a'), await journal.list('')], [undefined, []])
    assert.equal(journal.put('a', '3', 100, true), true)
    assert.equal(journal.put('a', '4', 50), true)
    clock.now += 50
    assert.equal(journal.drop('a'), false)
  })

  test('are dropped, only with a certain value if that is asked for', (t) => {
    const { journal } = journalAt(t)
    journal.put('a', '1', 100)
    assert.equal(journal.drop('a', '2'), false)
    assert.equal(journal.drop('a', '1'), true)
    assert.equal(journal.drop('a'), false)
    assert.equal(journal.stats().bytes, 0)
  })

  test('are listed by how they begin', async (t) => {
    const { journal } = journalAt(t)
    for (const name of ['key:a', 'key:b', 'other', 'ke']) journal.put(name, name.toUpperCase(), 100)
    assert.deepEqual(await journal.list('key:'), [
      ['key:a', 'KEY:A'],
      ['key:b', 'KEY:B'],
    ])
    assert.equal((await journal.list('')).length, 4)
  })

  test('are listed once each, although they change meanwhile, and others get their turn', async (t) => {
    const { journal } = journalAt(t)
    for (let number = 0; number < 12_000; number++) journal.put(`n${number}`, 'v', 100)
    const listing = journal.list('n')
    journal.put('n0', 'w', 100)
    let isListed = false
    void listing.then(() => {
      isListed = true
    })
    await callbacks()
    assert.equal(isListed, false)
    const names = (await listing).map(([name]) => name)
    assert.deepEqual([names.length, new Set(names).size], [12_000, 12_000])
  })

  test('have a share of the room, in which the oldest go first, and take none from entries', (t) => {
    const { journal } = journalAt(t, 20_000)
    journal.create(entryOf('a'), new Told()).end(complete)
    for (let number = 0; number < 100; number++) journal.put(`name-${number}`, text(100), 1000)
    assert.equal(stateOf(journal, 'a'), 'ended')
    assert.deepEqual([journal.get('name-0'), journal.get('name-99')], [undefined, text(100)])
    assert.ok(journal.stats().bytes <= 20_000)
  })
})

describe('memoryJournal()', () => {
  for (const [options, message] of [
    [{ maxBytes: -1 }, /^memoryJournal: maxBytes takes .*; got -1/],
    [{ maxBytes: '1' }, /^memoryJournal: maxBytes takes .*; got '1'/],
    [{ maxByte: 1 }, /^memoryJournal: there is no option maxByte\. Did you mean maxBytes\?/],
    [null, /^memoryJournal: options takes an object; got null/],
  ] as const) {
    test(`rejects ${JSON.stringify(options)}`, () => {
      assert.throws(() => memoryJournal(options as object), { name: 'TypeError', message })
    })
  }
})
