import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { TargetRoom } from '../../lib/handle/target-room.js'
import type { QueuePolicy } from '../../lib/queue/queue-policy.js'
import { TargetState } from '../../lib/routing/target-state.js'
import { type ManualQueueClock, manualQueue, QueueingExchange, settled } from '../support/queueing.js'

/** Asks for each tenant in order, and returns the exchanges. */
function askAll(queue: QueuePolicy, tenants: readonly string[], tokens = 1000): QueueingExchange[] {
  return tenants.map((tenant) => {
    const exchange = new QueueingExchange(tenant, tokens)
    exchange.ask(queue)
    return exchange
  })
}

function target(name: string, maxConcurrent: number): TargetState {
  return new TargetState({ name, weight: 1, priority: 0, maxConcurrent }, { now: () => performance.now() })
}

describe('a queue policy', () => {
  test('a tenant that always has many waiting does not starve one with a single request', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1 })
    const many = askAll(queue, Array<string>(50).fill('many'))
    const [one] = askAll(queue, ['one'])
    for (let ended = 0; ended < 2; ended++) {
      const running = many.find(({ fate, isSettled }) => fate === 'passed' && !isSettled)
      running!.end(queue)
      await settled()
      if (one!.fate === 'passed') break
      many.push(...askAll(queue, ['many']))
    }
    assert.equal(one!.fate, 'passed')
  })

  test('a subject without a tenant does not wait behind the tenant that has its name', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1 })
    const ask = (subject: string | { id: string; tenant: string }) => {
      const exchange = new QueueingExchange(subject, 1000)
      exchange.ask(queue)
      return exchange
    }
    const ofTenant = Array.from({ length: 4 }, (_, at) => ask({ id: `user ${at}`, tenant: 'acme' }))
    const own = ask('acme')
    assert.deepEqual([...queue.stats().byTenant], [['acme', 4]])
    ofTenant[0]!.end(queue)
    await settled()
    ofTenant[1]!.end(queue)
    await settled()
    assert.deepEqual([own.fate, ofTenant[3]!.fate], ['passed', 'waits'])
  })

  test('what the option `key` returns is one tenant, whatever the subject', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1, key: () => 'all' })
    for (const subject of ['a', { id: 'b', tenant: 'all' }]) new QueueingExchange(subject, 1000).ask(queue)
    const last = new QueueingExchange('all', 1000)
    last.ask(queue)
    assert.deepEqual([...queue.stats().byTenant], [['all', 2]])
    await settled()
    assert.equal(last.fate, 'waits')
  })

  test('a tenant that asks for one at a time, and uses far more than it says, gets no more than its share', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1, maxWaiting: 1000 })
    const all = askAll(queue, Array<string>(600).fill('fair'))
    all.push(...askAll(queue, ['greedy']))
    const used: Record<string, number> = { fair: 0, greedy: 0 }
    for (let n = 0; n < 500; n++) {
      const running = all.find(({ fate, isSettled }) => fate === 'passed' && !isSettled)!
      const { id } = running.subject
      const tokens = id === 'greedy' ? 50_000 : 1000
      used[id]! += tokens
      running.end(queue, tokens)
      await settled()
      // The client leaves and comes back, which pays no debt.
      if (id === 'greedy') askAll(queue, [id])[0]!.leave()
      await settled()
      if (id === 'greedy') all.push(...askAll(queue, [id]))
    }
    assert.ok(used.greedy! > 0 && used.greedy! <= used.fair! + 100_000, JSON.stringify(used))
  })

  test('a weight of 3 gives three times the tokens under way', async () => {
    const { queue } = manualQueue({
      maxConcurrent: 8,
      maxWaiting: 10_000,
      weight: (tenant) => (tenant === 'paid' ? 3 : 1),
    })
    const all = askAll(
      queue,
      Array.from({ length: 4000 }, (_, n) => (n % 2 ? 'paid' : 'free')),
    )
    let ended = 0
    for (let at = 0; ended < 2000; at = (at + 1) % all.length) {
      const each = all[at]!
      if (each.fate !== 'passed' || each.isSettled) continue
      each.end(queue)
      ended++
      await settled()
    }
    const passed = (name: string) => all.filter(({ subject, fate }) => subject.id === name && fate === 'passed').length
    const share = passed('paid') / (passed('paid') + passed('free'))
    assert.ok(Math.abs(share - 0.75) < 0.02, String(share))
  })

  test('an exchange that leaves makes room for another to wait at once', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1, maxWaiting: 1 })
    const [, waits, refused] = askAll(queue, ['a', 'b', 'c'])
    assert.equal(refused!.fate, 'queue_full')
    waits!.leave()
    assert.deepEqual([queue.stats().waiting, clock.timers], [0, 0])
    const [next] = askAll(queue, ['c'])
    await settled()
    assert.deepEqual([waits!.fate, next!.fate], ['left', 'waits'])
  })

  test('a tenant that fills the queue does not keep the others out', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1, maxWaiting: 4 })
    const many = askAll(queue, Array<string>(7).fill('many'))
    await settled()
    assert.deepEqual(
      many.map(({ fate }) => fate),
      ['passed', 'waits', 'waits', 'waits', 'waits', 'queue_full', 'queue_full'],
    )
    const others = askAll(queue, ['one', 'two', 'one', 'one'])
    await settled()
    assert.deepEqual(
      [...many.slice(1, 5), ...others].map(({ fate }) => fate),
      ['waits', 'waits', 'queue_full', 'queue_full', 'waits', 'waits', 'queue_full', 'queue_full'],
    )
    assert.deepEqual([queue.stats().waiting, queue.stats().refused.full, clock.timers], [4, 6, 4])
    many[0]!.end(queue)
    await settled()
    assert.equal(queue.stats().running, 1)
  })

  test('a tenant may fill as much of the queue as its weight', async () => {
    const weight = (tenant: string) => (tenant === 'paid' ? 3 : 1)
    const { queue } = manualQueue({ maxConcurrent: 1, maxWaiting: 8, weight })
    askAll(queue, ['other', ...Array<string>(9).fill('free'), ...Array<string>(9).fill('paid')])
    await settled()
    assert.deepEqual(Object.fromEntries(queue.stats().byTenant), { free: 2, paid: 6 })
  })

  test('Retry-After is the time in which those before it have left, at the rate of late', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1, maxWaiting: 20, maxWaitMs: 1e6 })
    const all = askAll(queue, Array<string>(21).fill('a'))
    for (let n = 0; n < 10; n++) {
      clock.advance(3000)
      all[n]!.end(queue)
      await settled()
    }
    all.push(...askAll(queue, Array<string>(10).fill('a')))
    const [refused] = askAll(queue, ['a'])
    assert.deepEqual([refused!.fate, refused!.retryAfter], ['queue_full', '63'])
  })

  test('what has waited for maxWaitMs is refused, and its place is free', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1, maxWaitMs: 5000 })
    const [running, first] = askAll(queue, ['a', 'b'])
    clock.advance(4999)
    const [second] = askAll(queue, ['b'])
    assert.equal(queue.stats().longestWaitMs, 4999)
    clock.advance(1)
    await settled()
    assert.deepEqual([first!.fate, second!.fate], ['queue_timeout', 'waits'])
    running!.end(queue)
    await settled()
    assert.equal(second!.fate, 'passed')
  })

  test('nothing is refused for its wait with `maxWaitMs: false`', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1, maxWaitMs: false })
    const [running, waiting] = askAll(queue, ['a', 'b'])
    clock.advance(1e9)
    await settled()
    assert.equal(waiting!.fate, 'waits')
    running!.end(queue)
    await settled()
    assert.equal(waiting!.fate, 'passed')
  })

  test('all pass with `maxConcurrent: false`', () => {
    const { queue } = manualQueue({ maxConcurrent: false })
    assert.ok(askAll(queue, Array(1000).fill('a')).every(({ fate }) => fate === 'passed'))
  })

  test('`key` and `weight` get the exchange', () => {
    const asking = new QueueingExchange('a', 10)
    const seen: unknown[] = []
    const { queue } = manualQueue({
      key: (_, exchange) => {
        seen.push(exchange)
        return 'k'
      },
      weight: (tenant, exchange) => {
        seen.push(tenant, exchange)
        return 1
      },
    })
    asking.ask(queue)
    assert.deepEqual(seen, [asking, 'k', asking])
  })

  test('a tenant whose requests use more than was expected has fewer turns', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1 })
    const all = askAll(
      queue,
      Array.from({ length: 40 }, (_, n) => (n % 2 ? 'frugal' : 'greedy')),
    )
    const ended = { frugal: 0, greedy: 0 }
    for (let n = 0; n < 20; n++) {
      const running = all.find(({ fate, isSettled }) => fate === 'passed' && !isSettled)!
      const tenant = running.subject.id as keyof typeof ended
      ended[tenant]++
      running.end(queue, tenant === 'greedy' ? 4000 : 1000)
      await settled()
    }
    assert.ok(ended.frugal >= 15 && ended.greedy >= 3, JSON.stringify(ended))
  })

  test('an exchange that is over before it waits is out at once', async () => {
    const { clock, queue } = manualQueue({ maxConcurrent: 1 })
    askAll(queue, ['a'])
    const left = new QueueingExchange('b', 1000)
    left.leave()
    left.ask(queue)
    await settled()
    assert.deepEqual([left.fate, queue.stats().waiting, clock.timers], ['left', 0, 0])
  })

  test('an exchange that ends while it waits, however that comes, is no longer there', async () => {
    const { queue } = manualQueue({ maxConcurrent: 1 })
    const [, waits] = askAll(queue, ['a', 'b'])
    waits!.end(queue)
    assert.equal(queue.stats().waiting, 0)
  })

  test('a burst takes the room that targets have, without waiting', () => {
    const { queue } = manualQueue({ maxWaiting: 0 })
    const a = target('a', 3)
    const room = new TargetRoom([a], 'try')
    const burst = Array.from({ length: 5 }, () => new QueueingExchange('x', 100))
    for (const exchange of burst) {
      exchange.capacity = room.capacityFor(exchange, [a])
      exchange.ask(queue)
    }
    assert.deepEqual(
      burst.map(({ fate }) => fate),
      ['passed', 'passed', 'passed', 'queue_full', 'queue_full'],
    )
  })

  for (const [options, message] of [
    [{ key: () => undefined }, /queue: key returns a string; got undefined/],
    [{ weight: () => 0 }, /queue: weight returns a number from 0.001 to 1000; got 0/],
    [{ weight: () => Number.NaN }, /queue: weight returns .*; got NaN/],
  ] as const) {
    test(`a function that returns something else throws: ${message.source}`, () => {
      const { queue } = manualQueue(options as never)
      assert.throws(() => new QueueingExchange('a', 10).ask(queue), message)
      assert.equal(queue.stats().waiting, 0)
    })
  }
})

type Step =
  | {
      readonly do: 'arrive'
      readonly tenant: string
      readonly tokens: number
      readonly at: 'a' | 'b' | 'ab' | 'any'
      readonly withNext: boolean
    }
  | { readonly do: 'leave' | 'end'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('arrive' as const),
        tenant: fc.constantFrom('p', 'q', 'r'),
        tokens: fc.integer({ min: 0, max: 20_000 }),
        at: fc.constantFrom('a' as const, 'b' as const, 'ab' as const, 'any' as const),
        // Both arrive before either goes out.
        withNext: fc.boolean(),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'end' as const), which: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 800 }) }) },
  ),
  { maxLength: 80 },
)

/** A queue before two targets, of which one exchange after another asks. */
class Model {
  readonly a = target('a', 2)
  readonly b = target('b', 1)
  readonly any = target('any', Number.POSITIVE_INFINITY)
  readonly room = new TargetRoom([this.a, this.b, this.any], 'try')
  readonly all: QueueingExchange[] = []
  readonly running = new Map<QueueingExchange, TargetState>()
  readonly queue: QueuePolicy
  readonly clock: ManualQueueClock
  readonly maxConcurrent: number

  constructor(maxConcurrent: number) {
    this.maxConcurrent = maxConcurrent
    const { clock, queue } = manualQueue({ maxConcurrent, maxWaiting: 8, maxWaitMs: 1000 })
    this.clock = clock
    this.queue = queue
  }

  run(step: Step): void {
    if (step.do === 'arrive') this.#arrive(step)
    else if (step.do === 'wait') this.clock.advance(step.ms)
    else if (step.do === 'end') this.end([...this.running.keys()][step.which % Math.max(1, this.running.size)])
    else if (step.do === 'leave') {
      const waiting = this.waiting()
      waiting[step.which % Math.max(1, waiting.length)]?.leave()
    }
  }

  async calm(): Promise<void> {
    for (let n = 0; n < 4; n++) {
      await settled()
      this.clock.turn()
    }
    this.#check()
  }

  waiting(): QueueingExchange[] {
    return this.all.filter(({ fate }) => fate === 'waits')
  }

  end(exchange: QueueingExchange | undefined): void {
    if (!exchange) return
    this.running.get(exchange)!.end()
    this.running.delete(exchange)
    exchange.end(this.queue, 700)
  }

  #arrive({ tenant, tokens, at }: Step & { do: 'arrive' }): void {
    const exchange = new QueueingExchange(tenant, tokens)
    const eligible = { a: [this.a], b: [this.b], ab: [this.a, this.b], any: [this.any, this.a] }[at]
    exchange.capacity = this.room.capacityFor(exchange, eligible)
    // It goes out a moment later, and takes the first target that has room.
    exchange.onPass = async () => {
      await undefined
      exchange.capacity.release()
      const free = eligible.find((each) => !each.isFull)
      assert.ok(free, 'another has taken its place')
      free.begin()
      this.running.set(exchange, free)
    }
    this.all.push(exchange)
    exchange.ask(this.queue)
  }

  #check(): void {
    const { running, waiting, byTenant } = this.queue.stats()
    assert.ok(running <= this.maxConcurrent)
    assert.equal(running, this.running.size)
    const waits = this.waiting()
    assert.equal(waiting, waits.length)
    assert.equal(
      [...byTenant.values()].reduce((sum, each) => sum + each, 0),
      waiting,
    )
    // Nobody waits for a place that is free.
    if (running < this.maxConcurrent)
      assert.deepEqual(
        waits.filter((each) => each.hasCapacity()),
        [],
      )
  }
}

describe('a queue before targets', () => {
  test('for any arrivals, departures and ends: no limit is passed, no place stays free, nobody is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, async (maxConcurrent, given) => {
        const model = new Model(maxConcurrent)
        for (const step of given) {
          model.run(step)
          if (step.do !== 'arrive' || !step.withNext) await model.calm()
        }
        await model.calm()
        for (let ends = 0; model.running.size > 0; ends++) {
          assert.ok(ends <= given.length)
          model.end([...model.running.keys()][0])
          await model.calm()
        }
        assert.deepEqual(model.waiting(), [])
        const { running, waiting, byTenant, longestWaitMs } = model.queue.stats()
        assert.deepEqual([running, waiting, byTenant.size, longestWaitMs, model.clock.timers], [0, 0, 0, 0, 0])
        assert.deepEqual([model.a.inFlight, model.b.inFlight, model.any.inFlight], [0, 0, 0])
      }),
      { numRuns: 300 },
    )
  })
})
