import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { TurnQueue } from '../../lib/scheduling/turn-queue.js'
import type { Runnable } from '../../lib/scheduling/turns.js'
import { manualTurns } from '../support/manual-turns.js'

/** Streams of tenants that always have more to pass on, and the order of their turns. */
function bursting(streams: readonly (string | undefined)[], turnsEach: number) {
  const { clock, turns } = manualTurns(0.15)
  const order: (string | undefined)[] = []
  for (const tenant of streams) {
    let left = turnsEach
    const stream: Runnable = {
      tenant,
      isBursting: true,
      onTurnEnd: () => {},
      runTurn: () => {
        order.push(tenant)
        clock.time += 0.1
        if (--left > 0) turns.enqueue(stream)
      },
    }
    turns.enqueue(stream)
  }
  return { clock, turns, order }
}

describe('turns by tenant', () => {
  test('a tenant with one stream gets every second turn while it has something to send, even if another has 200', () => {
    const { clock, order } = bursting([...Array<string>(200).fill('many'), 'one'], 50)
    clock.runAll()
    const last = order.lastIndexOf('one')
    assert.equal(order.slice(0, last + 1).filter((tenant) => tenant === 'one').length, 50)
    assert.ok(last <= 101, `its 50 turns took ${last + 1}`)
    for (let at = 1; at < last; at++) assert.notEqual(order[at], order[at - 1], `turn ${at}`)
    assert.equal(order.length, 201 * 50, 'and nobody loses any')
  })

  test('three tenants have a third each, however many streams they have', () => {
    const { clock, order } = bursting([...Array<string>(30).fill('a'), ...Array<string>(5).fill('b'), 'c'], 60)
    clock.runAll()
    const first = order.slice(0, 180)
    for (const tenant of ['a', 'b', 'c']) {
      const share = first.filter((each) => each === tenant).length
      assert.ok(share >= 59 && share <= 61, `${tenant} has ${share} of 180`)
    }
  })

  test('within a tenant, and without tenants, it is first come first served', () => {
    const queue = new TurnQueue<{ tenant?: string; n: number }>()
    for (let n = 0; n < 5; n++) queue.push({ n })
    const order = []
    for (let next = queue.shift(); next; next = queue.shift()) order.push(next.n)
    assert.deepEqual(order, [0, 1, 2, 3, 4])
    for (const [n, tenant] of ['a', 'a', 'b', 'a', 'b', 'c'].entries()) queue.push({ n, tenant })
    const mixed = []
    for (let next = queue.shift(); next; next = queue.shift()) mixed.push(`${next.tenant}${next.n}`)
    assert.deepEqual(mixed, ['a0', 'b2', 'c5', 'a1', 'b4', 'a3'])
  })

  test('brief turns are shared in the same way', () => {
    const { clock, turns } = manualTurns(0.15)
    const order: string[] = []
    const brief = (tenant: string): Runnable => ({
      tenant,
      onTurnEnd: () => {},
      runTurn: () => void order.push(tenant),
    })
    for (const tenant of ['a', 'a', 'a', 'b', 'a', 'b']) turns.enqueue(brief(tenant))
    clock.runAll()
    assert.equal(order.join(''), 'ababaa')
  })

  test('a tenant that comes in the middle of a round has its turn in that round, and one that goes delays nobody', () => {
    const queue = new TurnQueue<{ tenant: string; n: number }>()
    const push = (tenant: string, ...ns: number[]) => {
      for (const n of ns) queue.push({ tenant, n })
    }
    const take = (count: number) =>
      Array.from({ length: count }, () => queue.shift())
        .map((next) => next && next.tenant + next.n)
        .join(' ')
    push('a', 1, 2, 3, 4, 5)
    push('b', 1)
    push('c', 1, 2)
    assert.equal(take(2), 'a1 b1', 'b has nothing left')
    push('d', 1)
    assert.equal(take(3), 'c1 a2 d1')
    push('b', 2)
    assert.equal(take(3), 'c2 a3 b2')
    assert.equal(take(2), 'a4 a5', 'a is alone again')
    push('b', 3, 4)
    push('a', 6)
    assert.equal(take(4), 'b3 a6 b4 ')
    assert.equal(queue.length, 0)
  })

  test('for any order of pushes and shifts, nothing is lost, and each tenant keeps its order', () => {
    const step = fc.oneof(fc.constantFrom('a', 'b', 'c', undefined), fc.constant('shift' as const))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new TurnQueue<{ tenant: string | undefined; n: number }>()
        const waiting = new Map<string | undefined, number[]>()
        let count = 0
        const taken = (next: { tenant: string | undefined; n: number } | undefined) => {
          if (!next) return assert.equal(count, 0)
          assert.equal(waiting.get(next.tenant)?.shift(), next.n)
          count--
          return undefined
        }
        for (const [n, each] of steps.entries()) {
          if (each === 'shift') taken(queue.shift())
          else {
            queue.push({ tenant: each, n })
            waiting.set(each, [...(waiting.get(each) ?? []), n])
            count++
          }
          assert.equal(queue.length, count)
        }
        while (queue.length > 0) taken(queue.shift())
        assert.equal(count, 0)
      }),
      { numRuns: 300 },
    )
  })
})
