import assert from 'node:assert/strict'
import { stat } from 'node:fs'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Runnable, sharedTurns, TurnScheduler } from '../../lib/scheduling/turns.js'
import { explanationOf } from '../../lib/util/warn.js'
import { ManualTurnClock, manualTurns } from '../support/manual-turns.js'

/** A taker that does what it is told in its turn, and notes what it is told of them. */
function taker(work: () => void): Runnable & { took: number[] } {
  const took: number[] = []
  return { took, runTurn: work, onTurnEnd: (ms) => void took.push(ms) }
}

/** The same, whose turn takes so long. */
function taking(clock: ManualTurnClock, ms: number, work: () => void = () => {}): Runnable & { took: number[] } {
  return taker(() => {
    work()
    clock.time += ms
  })
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

describe('turns', () => {
  test('are taken first come, first served', () => {
    const { clock, turns } = manualTurns(10)
    const order: string[] = []
    for (const name of ['a', 'b', 'c']) turns.enqueue(taker(() => order.push(name)))
    assert.deepEqual(order, [], 'none is taken at once')
    clock.runRound()
    assert.deepEqual(order, ['a', 'b', 'c'])
    assert.equal(clock.deferred, 0)
  })

  test('are given to others that wait before a runnable gets a second one', () => {
    const { clock, turns } = manualTurns(3)
    const order: string[] = []
    const left: Record<string, number> = { a: 5, b: 5, c: 5, d: 5 }
    for (const name of Object.keys(left)) {
      const stream = taker(() => {
        order.push(name)
        clock.time += 1
        if (--left[name]! > 0) turns.enqueue(stream)
      })
      turns.enqueue(stream)
    }
    clock.runAll()
    assert.equal(order.join(''), 'abcd'.repeat(5))
  })

  test('let eight requests begin in a round, after what is brief', () => {
    const { clock, turns } = manualTurns(10)
    const order: string[] = []
    for (const name of '123456789abcdefghi') turns.arrive(taker(() => order.push(name)))
    assert.equal(order.join(''), '12345678', 'the first ones begin at once')
    turns.enqueue(taker(() => order.push('brief ')))
    assert.equal(turns.waiting, 11)
    clock.runRound()
    assert.equal(order.splice(0).join(''), '12345678brief ', 'this round has begun its eight')
    turns.enqueue(taker(() => order.push('brief ')))
    clock.runRound()
    assert.equal(order.splice(0).join(''), 'brief 9abcdefg')
    clock.runRound()
    turns.arrive(taker(() => order.push('j')))
    assert.equal(order.join(''), 'hij', 'nobody waits any more')
    clock.runAll()
    assert.equal(clock.deferred, 0)
  })

  test('let three requests begin in a round while streams burst, and in the round after', () => {
    const { clock, turns } = manualTurns(10)
    const order: string[] = []
    const burst = () => turns.enqueue({ ...taking(clock, 10, () => order.push(' bursting ')), isBursting: true })
    burst()
    burst()
    for (const name of '123456789abcdefghijklmno') turns.arrive(taker(() => order.push(name)))
    assert.equal(order.splice(0).join(''), '123')
    clock.runRound()
    assert.equal(order.splice(0).join(''), ' bursting ', 'this round has begun its three')
    clock.runRound()
    assert.equal(order.splice(0).join(''), '456 bursting ')
    clock.runRound()
    assert.equal(order.splice(0).join(''), '789', 'streams that burst are back soon')
    clock.runRound()
    assert.equal(order.splice(0).join(''), 'abcdefgh')
    clock.runAll()
  })

  test('continue after a runnable that throws, which a process warning reports', (t) => {
    const warn = t.mock.method(process, 'emitWarning', () => {})
    const { clock, turns } = manualTurns(10)
    const order: string[] = []
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {})
    revoke()
    const failing = taker(() => {
      throw proxy
    })
    turns.enqueue(failing)
    turns.enqueue(taker(() => order.push('the next')))
    clock.runRound()
    turns.enqueue(taker(() => order.push('a later one')))
    clock.runRound()
    assert.deepEqual(order, ['the next', 'a later one'])
    assert.deepEqual(failing.took, [])
    assert.deepEqual(warn.mock.calls[0]?.arguments as unknown[], [
      `A turn threw. See ${explanationOf('AI_PROXY_TURN_THREW')}`,
      { type: 'ExpressAiProxyWarning', code: 'AI_PROXY_TURN_THREW', detail: 'an error that cannot be shown' },
    ])
  })

  test('are released once they have run, even if the queue never drains', async () => {
    const { clock, turns } = manualTurns(2)
    const enqueueOne = () => {
      const one = taking(clock, 2)
      turns.enqueue(one)
      return new WeakRef(one)
    }
    const first = enqueueOne()
    for (let at = 0; at < 10; at++) {
      enqueueOne()
      clock.runRound()
    }
    assert.ok(turns.waiting > 0)
    // A weak reference holds what it was made for until the job that made it is over.
    await setImmediate()
    collectGarbage()
    assert.equal(first.deref(), undefined)
  })

  test('run at once if nothing is waiting, until the budget of the round is used up', () => {
    const { clock, turns } = manualTurns(3)
    const order: string[] = []
    const now = (name: string, ms: number, extraCostMs?: number) =>
      turns.runOrEnqueue(
        Object.assign(
          taking(clock, ms, () => order.push(name)),
          extraCostMs && { extraCostMs },
        ),
      )
    now('a', 1)
    now('b', 1, 1)
    now('c', 1)
    assert.deepEqual(order, ['a', 'b'], 'what a turn sets off counts, too')
    assert.equal(turns.waiting, 1)
    clock.runRound()
    assert.deepEqual(order, ['a', 'b', 'c'])
    turns.enqueue(taking(clock, 1, () => order.push('d')))
    now('e', 1)
    assert.deepEqual(order, ['a', 'b', 'c'], 'not before who waits')
    clock.runAll()
    assert.deepEqual(order, ['a', 'b', 'c', 'd', 'e'])
    now('f', 1)
    now('g', 1)
    assert.deepEqual(order.slice(-2), ['f', 'g'], 'each round has a budget of its own')
  })

  test('queued during a round run after the others', () => {
    const { clock, turns } = manualTurns(10)
    const order: string[] = []
    const late = taker(() => order.push('late'))
    const first = taker(() => {
      order.push('a')
      turns.enqueue(late)
    })
    turns.enqueue(first)
    turns.enqueue(taker(() => order.push('b')))
    clock.runRound()
    assert.deepEqual(order, ['a', 'b', 'late'])
  })

  test("stop once the round's budget is used up; the next round continues there", () => {
    const { clock, turns } = manualTurns(3)
    const order: number[] = []
    for (let at = 0; at < 8; at++) {
      turns.enqueue(
        taker(() => {
          order.push(at)
          clock.time += 1
        }),
      )
    }
    clock.runRound()
    assert.deepEqual(order, [0, 1, 2])
    clock.runRound()
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5])
    clock.runRound()
    assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7])
    assert.equal(clock.deferred, 0)
  })

  test('are not charged for what ran between two rounds', () => {
    const { clock, turns } = manualTurns(2)
    let taken = 0
    for (let at = 0; at < 4; at++) turns.enqueue(taking(clock, 1, () => taken++))
    clock.runRound()
    clock.time += 100
    clock.runRound()
    assert.equal(taken, 4)
  })

  test('run at least once per round, however long that takes', () => {
    const { clock, turns } = manualTurns(1)
    const order: string[] = []
    for (const name of ['a', 'b', 'c']) turns.enqueue(taking(clock, 50, () => order.push(name)))
    clock.runRound()
    assert.deepEqual(order, ['a'])
    clock.runRound()
    clock.runRound()
    assert.deepEqual(order, ['a', 'b', 'c'])
  })

  test('leave time between two rounds for timers and I/O that are ready', () => {
    const { clock, turns } = manualTurns(2)
    const log: string[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) turns.enqueue(taking(clock, 1, () => log.push(name)))
    while (clock.deferred > 0) {
      clock.runRound()
      log.push('timers and I/O')
    }
    assert.deepEqual(log, ['a', 'b', 'timers and I/O', 'c', 'd', 'timers and I/O', 'e', 'timers and I/O'])
  })

  test('defer one round at a time, however many are queued', () => {
    const { clock, turns } = manualTurns(1)
    for (let at = 0; at < 5; at++) turns.enqueue(taking(clock, 1))
    assert.equal(clock.deferred, 1)
    clock.runRound()
    assert.equal(clock.deferred, 1)
    turns.enqueue(taker(() => {}))
    assert.equal(clock.deferred, 1)
  })

  test('start a new round for a runnable that queues after all others have run', () => {
    const { clock, turns } = manualTurns(1)
    let taken = 0
    for (let at = 1; at <= 3; at++) {
      turns.enqueue(taker(() => taken++))
      assert.equal(clock.deferred, 1)
      clock.runRound()
      assert.equal(taken, at)
      assert.equal(clock.deferred, 0)
    }
  })

  test('pass each runnable the duration of its own turn', () => {
    const { clock, turns } = manualTurns(100)
    const takers = [3, 0.5, 7].map((ms) => taking(clock, ms))
    for (const each of takers) turns.enqueue(each)
    clock.time = 40
    clock.runRound()
    assert.deepEqual(
      takers.map(({ took }) => took),
      [[3], [0.5], [7]],
    )
  })

  test('allow the budget to change while they run', () => {
    const { clock, turns } = manualTurns(3)
    let taken = 0
    for (let at = 0; at < 9; at++) turns.enqueue(taking(clock, 1, () => taken++))
    clock.runRound()
    assert.equal(taken, 3)
    turns.budgetMs = 5
    clock.runRound()
    assert.equal(taken, 8)
  })

  test('have two milliseconds of a round if the budget is smaller, and one while streams burst', () => {
    const { clock, turns } = manualTurns(0.5)
    const order: string[] = []
    const queue = (names: string) => {
      for (const name of names) turns.enqueue(taking(clock, 0.25, () => order.push(name)))
    }
    queue('abcdefghij')
    clock.runRound()
    assert.equal(order.splice(0).join(''), 'abcdefgh')
    queue('kl')
    turns.enqueue({ ...taking(clock, 0.25, () => order.push('B')), isBursting: true })
    queue('mn')
    clock.runRound()
    assert.equal(order.splice(0).join(''), 'ijklB')
  })
})

describe('bursting streams', () => {
  const bursting = (clock: ManualTurnClock, ms: number, work: () => void) =>
    Object.assign(taking(clock, ms, work), { isBursting: true })

  test('run after brief turns, and both have their budget in each round', () => {
    const { clock, turns } = manualTurns(0.5)
    const order: string[] = []
    for (const name of ['B', 'C', 'D']) turns.enqueue(bursting(clock, 0.25, () => order.push(name)))
    for (const name of ['a', 'b', 'c', 'd', 'e']) turns.enqueue(taking(clock, 0.25, () => order.push(name)))
    clock.runRound()
    assert.equal(order.join(''), 'abcdBC', 'a millisecond of brief turns, and half of one of the others')
    clock.runRound()
    assert.equal(order.join(''), 'abcdBCeD')
    assert.equal(turns.waiting, 0)
  })

  test('do not displace a brief turn that can run at once', () => {
    const { clock, turns } = manualTurns(0.5)
    const order: string[] = []
    turns.enqueue(bursting(clock, 1, () => order.push('B')))
    turns.runOrEnqueue(taking(clock, 0.1, () => order.push('a')))
    assert.deepEqual(order, ['a'])
  })

  /** How many turns of a quarter of a millisecond each round gives, if everybody else needs so long before it. */
  function turnsPerRound(othersMs: readonly number[], extraCostMs = 0): number[] {
    const { clock, turns } = manualTurns(0.25)
    let taken = 0
    const stream = Object.assign(
      bursting(clock, 0.25, () => {
        taken++
        turns.enqueue(stream)
      }),
      { extraCostMs },
    )
    turns.enqueue(stream)
    return othersMs.map((ms) => {
      const before = taken
      clock.time += ms
      clock.runRound()
      return taken - before
    })
  }

  test('get as much of a busy event loop as everybody else, at most doubling, up to two milliseconds', () => {
    assert.deepEqual(turnsPerRound([0, 0.1, 0.5, 1, 1, 1, 50, 50, 50, 0]), [1, 1, 2, 4, 4, 4, 8, 8, 8, 1])
  })

  test('are not given time that they have caused themselves', () => {
    assert.deepEqual(turnsPerRound([0.5, 0.5, 0.5], 0.5), [1, 1, 1])
  })

  test('are not credited with the time of brief turns that ran at once', () => {
    const { clock, turns } = manualTurns(0.25)
    let taken = 0
    turns.runOrEnqueue(taking(clock, 1))
    for (let at = 0; at < 4; at++) turns.enqueue(bursting(clock, 0.25, () => taken++))
    clock.runRound()
    assert.equal(taken, 1)
  })
})

test('`waiting` is the number of queued runnables', () => {
  const { clock, turns } = manualTurns(2)
  const seen: number[] = []
  for (let at = 0; at < 4; at++) turns.enqueue(taking(clock, 1, () => seen.push(turns.waiting)))
  assert.equal(turns.waiting, 4)
  clock.runRound()
  assert.equal(turns.waiting, 2)
  clock.runRound()
  assert.equal(turns.waiting, 0)
  assert.deepEqual(seen, [3, 2, 1, 0])
})

test('a queue of thousands keeps its order and count while others join', () => {
  const { clock, turns } = manualTurns(7)
  const order: number[] = []
  let queued = 0
  const enqueue = () => {
    const number = queued++
    turns.enqueue(
      taker(() => {
        order.push(number)
        clock.time++
        if (queued < 12_000) enqueue()
      }),
    )
  }
  for (let at = 0; at < 5000; at++) enqueue()
  while (clock.deferred > 0) {
    clock.runRound()
    assert.equal(turns.waiting, queued - order.length)
  }
  assert.deepEqual(
    order,
    Array.from({ length: 12_000 }, (_, at) => at),
  )
})

test('500 runnables that never end have equal shares at any moment', () => {
  const { clock, turns } = manualTurns(3)
  const had = Array<number>(500).fill(0)
  had.forEach((_, at) => {
    const stream = taker(() => {
      had[at]!++
      clock.time++
      turns.enqueue(stream)
    })
    turns.enqueue(stream)
  })
  for (let round = 0; round < 2000; round++) {
    clock.runRound()
    assert.ok(Math.max(...had) - Math.min(...had) <= 1)
  }
  assert.equal(turns.waiting, 500)
})

describe('in the real event loop', () => {
  test('timers and I/O run even if a stream always wants another turn', async () => {
    const MOST = 5_000_000
    const turns = new TurnScheduler(0.25)
    let turnsTaken = 0
    const ran: string[] = []
    await new Promise<void>((resolve) => {
      const stream = taker(() => {
        if (turnsTaken++ === 0) {
          setTimeout(() => ran.push('timer'), 1)
          stat('.', () => ran.push('I/O'))
        }
        if (ran.length === 2 || turnsTaken === MOST) resolve()
        else turns.enqueue(stream)
      })
      turns.enqueue(stream)
    })
    assert.deepEqual(ran.sort(), ['I/O', 'timer'])
  })
})

test('the process has one scheduler, with the smallest budget that was requested', () => {
  const turns = sharedTurns()
  const byDefault = turns.budgetMs
  assert.ok(byDefault > 0 && byDefault < 1)
  assert.equal(sharedTurns(2), turns)
  assert.equal(turns.budgetMs, 2)
  sharedTurns(0.5)
  sharedTurns(3)
  sharedTurns()
  assert.equal(turns.budgetMs, 0.5)
})

test('time before the first turn of a round is not charged to it', () => {
  // The first turn of a round is measured from the round's start, not from when its taker queued.
  const clock = new ManualTurnClock()
  const turns = new TurnScheduler(1, clock)
  const first = taker(() => {})
  turns.enqueue(first)
  clock.time = 1000
  clock.runRound()
  assert.deepEqual(first.took, [0])
})
