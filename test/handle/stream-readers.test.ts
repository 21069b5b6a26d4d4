import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { StreamReaders } from '../../lib/handle/stream-readers.js'
import { MemoryJournal } from '../../lib/journal/memory-journal.js'
import { entryOf, Told } from '../journal/support.js'

/** A store that several processes share, and their clock. */
function started(t: TestContext) {
  let now = 0
  const journal = new MemoryJournal(1e6, () => now)
  t.after(() => journal.close())
  const told = new Told()
  journal.create(entryOf('answer'), told)
  /** The timers of the processes that live. */
  const timers = new Set<{ readonly ms: number; readonly run: () => void; dueAt: number }>()
  const startProcess = () => {
    const own = new Set<object>()
    const readers = new StreamReaders((ms, run) => {
      const timer = { ms, run, dueAt: now + ms }
      timers.add(timer)
      own.add(timer)
      return () => timers.delete(timer)
    })
    const die = () => {
      for (const timer of own) timers.delete(timer as never)
    }
    return { readers, die }
  }
  const pass = (ms: number) => {
    for (const end = now + ms; now < end; now += 1000) {
      for (const timer of timers) {
        if (timer.dueAt > now) continue
        timer.dueAt += timer.ms
        timer.run()
      }
    }
  }
  return { journal, told, timers, startProcess, pass }
}

describe('the marks of those who read a shared answer', () => {
  test('keep it from being stopped for hours, as long as their process lives', async (t) => {
    const { journal, told, startProcess, pass } = started(t)
    const [one, other] = [startProcess(), startProcess()]
    const unmark = one.readers.mark(journal, 'answer', 'ada')
    other.readers.mark(journal, 'answer', 'bob')
    pass(3 * 60 * 60_000)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 0)
    unmark(0)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 1)
  })

  test('of a process that has died count for half a minute at most', async (t) => {
    const { journal, told, startProcess, pass } = started(t)
    const [one, other] = [startProcess(), startProcess()]
    one.readers.mark(journal, 'answer', 'ada')
    other.readers.mark(journal, 'answer', 'bob')
    pass(60_000)
    one.die()
    pass(15_000)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 0)
    pass(16_000)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 1)
  })

  test('count until the last connection of a client has ended, and then need no timer', async (t) => {
    const { journal, told, timers, startProcess } = started(t)
    const { readers } = startProcess()
    const [first, second] = [1, 2].map(() => readers.mark(journal, 'answer', 'ada')) as [
      (returnMs: number) => void,
      (returnMs: number) => void,
    ]
    first(0)
    first(0)
    await readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.deepEqual([told.stops, timers.size], [0, 1])
    second(0)
    await readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.deepEqual([told.stops, timers.size], [1, 0])
    readers.mark(journal, 'answer', 'ada')
    assert.equal(timers.size, 1)
  })

  test('of a client that may come back count for as long, in whatever process it reads', async (t) => {
    const { journal, told, timers, startProcess, pass } = started(t)
    const [one, other] = [startProcess(), startProcess()]
    one.readers.mark(journal, 'answer', 'ada')(60_000)
    assert.equal(timers.size, 0)
    pass(59_000)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 0)
    pass(2000)
    await other.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 1)
  })

  test('of one process outlast those of another in which the client has read before', async (t) => {
    const { journal, told, startProcess } = started(t)
    const [one, other] = [startProcess(), startProcess()]
    const lost = one.readers.mark(journal, 'answer', 'ada')
    const unmark = other.readers.markAgain(journal, 'answer', 'ada')
    lost(0)
    await one.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 0)
    unmark(0)
    await one.readers.stopUnlessShared(journal, 'answer', 'bob')
    assert.equal(told.stops, 1)
  })

  test('of a client that has asked to stop count only while it reads, until it comes back', async (t) => {
    const { journal, told, startProcess, pass } = started(t)
    const [one, other] = [startProcess(), startProcess()]
    const unmark = one.readers.mark(journal, 'answer', 'ada')
    const stay = one.readers.mark(journal, 'answer', 'bobby')
    await other.readers.stopUnlessShared(journal, 'answer', 'ada')
    await other.readers.stopUnlessShared(journal, 'answer', 'bobby')
    assert.equal(told.stops, 0)
    stay(60_000)
    pass(10_000)
    await other.readers.stopUnlessShared(journal, 'answer', 'ada')
    assert.equal(told.stops, 1)
    unmark(60_000)
    other.readers.markAgain(journal, 'answer', 'ada')(60_000)
    await one.readers.stopUnlessShared(journal, 'answer', 'bobby')
    assert.equal(told.stops, 1)
  })

  test('let the last of two readers stop it if both ask at the same moment', async (t) => {
    const { journal, told, startProcess } = started(t)
    const { readers } = startProcess()
    for (const id of ['ada', 'bob']) readers.mark(journal, 'answer', id)(60_000)
    await Promise.all(['ada', 'bob'].map((id) => readers.stopUnlessShared(journal, 'answer', id)))
    assert.ok(told.stops > 0)
  })
})
