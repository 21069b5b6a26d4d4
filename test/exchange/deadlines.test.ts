import assert from 'node:assert/strict'
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { describe, test } from 'node:test'
import { DeadlineRounds } from '../../lib/exchange/deadline-rounds.js'
import { Deadlines } from '../../lib/exchange/deadlines.js'
import { ManualTimers } from '../support/manual-timers.js'

function rig() {
  const timers = new ManualTimers()
  const deadlines = new Deadlines(timers)
  const due: string[] = []
  const start = (name: string, ms: number) => deadlines.start(name, ms, () => due.push(`${name}@${timers.time}`))
  return { timers, deadlines, due, start }
}

test('a deadline expires once, at its time', () => {
  const { timers, due, start } = rig()
  start('a', 100)
  timers.advance(99)
  assert.deepEqual(due, [])
  timers.advance(1)
  assert.deepEqual(due, ['a@100'])
  timers.advance(1000)
  assert.deepEqual(due, ['a@100'])
  assert.equal(timers.pending, 0)
})

test('several share one timer, and each expires at its time', () => {
  const { timers, due, start } = rig()
  start('long', 300)
  start('short', 100)
  start('middle', 200)
  assert.equal(timers.pending, 1)
  timers.advance(1000)
  assert.deepEqual(due, ['short@100', 'middle@200', 'long@300'])
})

test('several that are due at once, because the event loop was held, expire in the order of their times', () => {
  const { timers, due, start } = rig()
  start('long', 300)
  start('short', 100)
  start('middle', 200)
  timers.hold(1000)
  timers.advance(0)
  assert.deepEqual(due, ['short@1000', 'middle@1000', 'long@1000'])
})

test('several with the same time expire together', () => {
  const { timers, due, start } = rig()
  for (const name of ['a', 'b', 'c']) start(name, 50)
  timers.advance(50)
  assert.deepEqual(due, ['a@50', 'b@50', 'c@50'])
})

test('a held one expires later, by the time that it was held', () => {
  const { timers, deadlines, due, start } = rig()
  start('a', 50)
  timers.advance(30)
  const goOn = deadlines.hold('a')
  const nothing = deadlines.hold('never started')
  timers.advance(1000)
  assert.deepEqual(due, [])
  goOn()
  nothing()
  timers.advance(19)
  assert.deepEqual(due, [])
  timers.advance(1)
  assert.deepEqual(due, ['a@1050'])
})

test('a stopped one never expires', () => {
  const { timers, deadlines, due, start } = rig()
  start('a', 50)
  start('b', 60)
  deadlines.stop('a')
  deadlines.stop('never started')
  timers.advance(100)
  assert.deepEqual(due, ['b@60'])
})

describe('touch', () => {
  test('restarts a deadline with its own duration', () => {
    const { timers, deadlines, due, start } = rig()
    start('a', 100)
    timers.advance(60)
    deadlines.touch('a')
    timers.advance(60)
    assert.deepEqual(due, [])
    timers.advance(40)
    assert.deepEqual(due, ['a@160'])
  })

  test('sets no timer', () => {
    const { timers, deadlines, start } = rig()
    start('a', 100)
    for (let at = 0; at < 50; at++) {
      timers.advance(1)
      deadlines.touch('a')
    }
    assert.deepEqual(timers.delays, [100])
    timers.advance(50)
    assert.deepEqual(timers.delays, [100, 50], 'the timer looks when it fires, and waits for the rest')
  })

  test("uses the caller's time if given", () => {
    const { timers, deadlines, due, start } = rig()
    start('a', 100)
    deadlines.touch('a', 500)
    timers.advance(599)
    assert.deepEqual(due, [])
    timers.advance(1)
    assert.deepEqual(due, ['a@600'])
  })

  test('does not start a stopped deadline', () => {
    const { timers, deadlines } = rig()
    deadlines.touch('a')
    assert.equal(timers.pending, 0)
  })
})

describe('starting a running deadline again', () => {
  test('restarts it, later', () => {
    const { timers, due, start } = rig()
    start('a', 100)
    timers.advance(50)
    start('a', 100)
    timers.advance(1000)
    assert.deepEqual(due, ['a@150'])
  })

  test('restarts it, sooner', () => {
    const { timers, due, start } = rig()
    start('a', 100)
    start('a', 10)
    timers.advance(1000)
    assert.deepEqual(due, ['a@10'])
  })

  test('turns it off with Infinity', () => {
    const { timers, due, start } = rig()
    start('a', 100)
    start('a', Number.POSITIVE_INFINITY)
    timers.advance(1000)
    assert.deepEqual(due, [])
  })
})

describe('long times', () => {
  test('Infinity never expires, and sets no timer', () => {
    const { timers, deadlines, start } = rig()
    start('a', Number.POSITIVE_INFINITY)
    deadlines.touch('a')
    assert.deepEqual(timers.delays, [])
  })

  test('more than a timer can hold expires in time, not at once', () => {
    const { timers, due, start } = rig()
    const long = 3 * 2 ** 31
    start('a', long)
    assert.ok(timers.delays.every((delay) => delay <= 2 ** 31 - 1))
    timers.advance(long - 1)
    assert.deepEqual(due, [])
    timers.advance(1)
    assert.deepEqual(due, [`a@${long}`])
    assert.ok(timers.delays.every((delay) => delay <= 2 ** 31 - 1))
  })

  test('delays are whole milliseconds, never too short', () => {
    const { timers, due, start } = rig()
    start('a', 10.25)
    assert.deepEqual(timers.delays, [11])
    timers.advance(11)
    assert.deepEqual(due, ['a@11'])
  })
})

describe('stopAll', () => {
  test('stops every deadline, and the timer', () => {
    const { timers, deadlines, due, start } = rig()
    start('a', 10)
    start('b', 20)
    deadlines.stopAll()
    assert.equal(timers.pending, 0)
    timers.advance(100)
    assert.deepEqual(due, [])
  })

  test('leaves the deadlines usable', () => {
    const { timers, deadlines, due, start } = rig()
    start('a', 10)
    deadlines.stopAll()
    start('b', 20)
    timers.advance(100)
    assert.deepEqual(due, ['b@20'])
  })
})

describe('the callback may', () => {
  test('stop other deadlines that are due', () => {
    const { timers, deadlines, due, start } = rig()
    deadlines.start('first', 10, () => deadlines.stopAll())
    start('second', 10)
    start('third', 20)
    timers.advance(100)
    assert.deepEqual(due, [])
    assert.equal(timers.pending, 0)
  })

  test('restart its own deadline', () => {
    const { timers, deadlines } = rig()
    const at: number[] = []
    const beat = () => {
      at.push(timers.time)
      deadlines.start('beat', 10, beat)
    }
    deadlines.start('beat', 10, beat)
    timers.advance(35)
    assert.deepEqual(at, [10, 20, 30])
    assert.equal(timers.pending, 1)
  })

  test('start others, sooner and later than the running ones', () => {
    const { timers, deadlines, due, start } = rig()
    deadlines.start('first', 10, () => {
      start('soon', 5)
      start('late', 500)
    })
    start('between', 100)
    timers.advance(1000)
    assert.deepEqual(due, ['soon@15', 'between@100', 'late@510'])
  })

  test('extend one that is due at the same time', () => {
    const { timers, deadlines, due, start } = rig()
    deadlines.start('first', 10, () => deadlines.touch('second'))
    start('second', 10)
    timers.advance(10)
    assert.deepEqual(due, [])
    timers.advance(10)
    assert.deepEqual(due, ['second@20'])
  })

  test('restart one that is due at the same time', () => {
    const { timers, deadlines, due, start } = rig()
    deadlines.start('first', 10, () => start('second', 10))
    start('second', 10)
    timers.advance(100)
    assert.deepEqual(due, ['second@20'])
  })
})

describe('deadlines that are far away', () => {
  test('expire at their times, and cost no timer each', () => {
    const timers = new ManualTimers()
    const rounds = new DeadlineRounds(timers)
    const due: string[] = []
    const all = Array.from({ length: 50 }, (_, at) => {
      const deadlines = new Deadlines(timers, undefined, rounds)
      deadlines.start('long', 60_000 + at, () => due.push(`${at}@${timers.time}`))
      return deadlines
    })
    for (const deadlines of all.slice(3)) deadlines.stopAll()
    assert.equal(timers.delays.length, 1)
    timers.advance(59_999)
    assert.deepEqual(due, [])
    timers.advance(10_000)
    assert.deepEqual(due, ['0@60000', '1@60001', '2@60002'])
    assert.equal(timers.pending, 0)
  })

  test('are looked at as long as there are any, also after a touch or a new one', () => {
    const { timers, deadlines, due, start } = rig()
    start('idle', 30_000)
    timers.advance(25_000)
    deadlines.touch('idle')
    timers.advance(29_999)
    assert.deepEqual(due, [])
    start('soon', 5)
    timers.advance(1)
    assert.deepEqual(due, ['idle@55000'])
    timers.advance(4)
    assert.deepEqual(due, ['idle@55000', 'soon@55004'])
    deadlines.stopAll()
    timers.advance(4000)
    assert.equal(timers.pending, 0)
    start('later', 20_000)
    timers.advance(20_000)
    assert.deepEqual(due.at(-1), 'later@79004')
  })

  test('expire in the asynchronous context of their exchange, whichever request set the timer', () => {
    const timers = new ManualTimers()
    const rounds = new DeadlineRounds(timers)
    const storage = new AsyncLocalStorage<string>()
    const due: (string | undefined)[] = []
    for (const [name, ms] of [
      ['one', 20_000],
      ['other', 20_001],
      ['third', 5],
    ] as const) {
      storage.run(name, () => {
        const deadlines = new Deadlines(timers, new AsyncResource('Test'), rounds)
        deadlines.start('due', ms, () => due.push(storage.getStore()))
      })
    }
    storage.run('the clock', () => timers.advance(30_000))
    assert.deepEqual(due, ['third', 'one', 'other'])
  })
})
