import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError } from '../../lib/api/errors.js'
import { type OverloadClock, OverloadGuard } from '../../lib/scheduling/overload.js'

/** An event loop whose timer comes when told. */
class ManualLoop implements OverloadClock {
  time = 1000
  everyMs = 0
  isUnreferenced = false
  isStopped = false
  #run = () => {}

  now(): number {
    return this.time
  }

  every(ms: number, run: () => void): { unref(): unknown } {
    this.everyMs = ms
    this.#run = run
    return Object.assign(this, { unref: () => (this.isUnreferenced = true) })
  }

  stop(timer: unknown): void {
    assert.equal(timer, this, 'it stops the timer that it started')
    this.isStopped = true
  }

  /** Time goes on, and the timer does not come: the loop is held up. */
  isHeldUp(ms: number): void {
    this.time += ms
  }

  /** The timer comes, so much later than it is due. */
  comes(lateMs: number): void {
    this.time += this.everyMs + lateMs
    this.#run()
  }
}

function guarded(mostMs: number) {
  const loop = new ManualLoop()
  const guard = new OverloadGuard(mostMs, loop)
  const admits = () => {
    try {
      guard.admitStream()
      return true
    } catch (error) {
      assert.ok(error instanceof AiProxyError && error.code === 'overloaded')
      return false
    }
  }
  return { loop, guard, admits }
}

describe('a stream', () => {
  test('is admitted before anything is known', () => assert.equal(guarded(10).admits(), true))

  for (const [lateMs, admitted] of [
    [0, true],
    [9, true],
    [10, true],
    [10.1, false],
    [500, false],
  ] as const) {
    test(`is ${admitted ? 'admitted' : 'rejected'} if the loop was ${lateMs} ms late, of 10`, () => {
      const { loop, admits } = guarded(10)
      loop.comes(lateMs)
      assert.equal(admits(), admitted)
    })
  }

  test('is rejected with 503 and Retry-After', () => {
    const { loop, guard } = guarded(10)
    loop.comes(11)
    assert.throws(() => guard.admitStream(), {
      name: 'AiProxyError',
      code: 'overloaded',
      status: 503,
      outcome: 'rejected',
      headers: { 'retry-after': '1' },
      message: 'The server is overloaded (overload.maxEventLoopDelayMs)',
    })
  })

  test('is admitted again as soon as the loop is on time', () => {
    const { loop, admits } = guarded(10)
    loop.comes(300)
    assert.equal(admits(), false)
    loop.comes(10)
    assert.equal(admits(), true)
  })

  test('is rejected while a round blocks the loop, before the timer can fire', () => {
    const { loop, admits } = guarded(10)
    loop.comes(0)
    loop.isHeldUp(loop.everyMs + 10)
    assert.equal(admits(), true, 'it is 10 ms overdue')
    loop.isHeldUp(1)
    assert.equal(admits(), false)
  })

  test('is rejected between two timers if the last one fired late', () => {
    const { loop, admits } = guarded(10)
    loop.comes(40)
    loop.isHeldUp(loop.everyMs / 2)
    assert.equal(admits(), false)
  })

  test('is admitted if the timer fired early, which neither compensates a delay nor counts as one', () => {
    const { loop, admits } = guarded(10)
    loop.comes(-20)
    assert.equal(admits(), true)
    loop.comes(11)
    assert.equal(admits(), false)
  })

  test('is not affected by an earlier delay: the next timer is due one interval after the last', () => {
    const { loop, admits } = guarded(10)
    for (let round = 0; round < 20; round++) loop.comes(5)
    assert.equal(admits(), true)
  })
})

test('the watch keeps no process alive, and ends with the middleware', () => {
  const { loop, guard } = guarded(10)
  assert.equal(loop.isUnreferenced, true)
  assert.equal(loop.isStopped, false)
  guard.close()
  assert.equal(loop.isStopped, true)
})

test('the process’s own clock is used if none is given', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const guard = new OverloadGuard(10)
  now = 61
  assert.throws(() => guard.admitStream(), { code: 'overloaded' })
  t.mock.timers.tick(50)
  assert.throws(() => guard.admitStream(), { code: 'overloaded' })
  now = 111
  t.mock.timers.tick(50)
  assert.doesNotThrow(() => guard.admitStream())
  guard.close()
  now = 121
  t.mock.timers.tick(5000)
  assert.doesNotThrow(() => guard.admitStream())
})
