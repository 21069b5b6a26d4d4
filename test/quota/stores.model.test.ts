import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import Redis from 'ioredis'
import { createClient } from 'redis'
import { MemoryStore } from '../../lib/quota/memory-store.js'
import { redisStore } from '../../lib/quota/redis-store.js'
import type { Claim, QuotaStore } from '../../lib/quota/store.js'
import type { RedisClient } from '../../lib/util/redis-client.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'

/** Windows of thirty years: the tests of time are elsewhere. */
const sliding = { kind: 'sliding', ms: 1e12 } as const
const calendar = { kind: 'calendar', starts: [0, 3e12, 6e12] } as const
const none = { kind: 'none' } as const
const leaseMs = 600_000

const buckets = [
  { key: 'user:ada', name: 'requests:1d', window: sliding, allowed: 8 },
  { key: 'user:ada', name: 'tokens:1d', window: sliding, allowed: 100 },
  { key: 'user:ada', name: 'concurrent', window: none, allowed: 3 },
  { key: 'team:acme', name: 'cost:month@UTC', window: calendar, allowed: 5_000_000_000_000 },
  { key: 'team:acme', name: 'tokens:month@UTC', window: calendar, allowed: 250 },
] as const

const claimOf = (at: number, amount: number): Claim => ({
  ...buckets[at]!,
  amount: buckets[at]!.name.startsWith('cost')
    ? amount * 50_000_000_001
    : buckets[at]!.name === 'concurrent'
      ? 1
      : amount,
  countsAtOnce: buckets[at]!.name.startsWith('requests'),
})

/** What the stores must do, written as plainly as possible. */
class Model {
  readonly counted = new Map<string, number>()
  readonly later = new Map<string, number>()
  readonly held = new Map<string, Map<string, number>>()
  readonly settled = new Set<string>()
  /** What ids have counted at once. */
  readonly reserved = new Set<string>()

  heldOf(name: string): number {
    return [...this.held.values()].reduce((sum, lease) => sum + (lease.get(name) ?? 0), 0)
  }

  reserve(id: string, claims: readonly Claim[], force: boolean): boolean {
    const granted = claims.every(
      ({ name, amount, allowed }) =>
        amount === 0 || (this.counted.get(name) ?? 0) + this.heldOf(name) + amount <= allowed,
    )
    if (this.settled.has(id)) return false
    if (!granted && !force) return false
    const isRepeated = this.reserved.has(id)
    for (const claim of claims) {
      if (claim.countsAtOnce) {
        if (!isRepeated) this.count(claim.name, claim.amount)
        this.reserved.add(id)
      } else {
        const lease = this.held.get(id) ?? new Map<string, number>()
        lease.set(claim.name, (lease.get(claim.name) ?? 0) + claim.amount)
        this.held.set(id, lease)
      }
    }
    return granted
  }

  count(name: string, amount: number, carries = false): void {
    const { window, allowed } = buckets.find((bucket) => bucket.name === name)!
    if (window.kind === 'none') return
    const sum = (this.counted.get(name) ?? 0) + amount
    const excess = window.kind === 'calendar' && carries ? Math.max(0, Math.min(amount, sum - allowed)) : 0
    this.counted.set(name, sum - excess)
    this.later.set(name, (this.later.get(name) ?? 0) + excess)
  }
}

interface Real {
  readonly stores: readonly QuotaStore[]
  readonly name: (key: string) => string
}

type Check = fc.AsyncCommand<Model, Real>

async function compare(model: Model, { stores, name }: Real): Promise<void> {
  for (const store of stores) {
    for (const key of ['user:ada', 'team:acme']) {
      for (const state of await store.read(name(key), 'acme')) {
        assert.equal(state.current, model.counted.get(state.name) ?? 0, `${state.name} counted`)
        assert.equal(state.held, model.heldOf(state.name), `${state.name} held`)
        assert.equal(state.carried, model.later.get(state.name) ?? 0, `${state.name} carried`)
        assert.equal(state.allowed, buckets.find((bucket) => bucket.name === state.name)!.allowed)
      }
    }
  }
}

const ids = fc.constantFrom('a', 'b', 'c', 'd', 'e')

const reserving = fc
  .tuple(
    ids,
    fc.uniqueArray(fc.nat(buckets.length - 1), { minLength: 1 }),
    fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(0)),
    fc.boolean(),
  )
  .map(([id, places, amount, force]): Check => {
    const claims = places.map((at) => claimOf(at, amount))
    return {
      check: () => true,
      async run(model, real) {
        const expected = model.reserve(id, claims, force)
        const named = claims.map((claim) => ({ ...claim, key: real.name(claim.key) }))
        for (const store of real.stores) {
          const reserved = await store.reserve({ id, slot: 'acme', claims: named, leaseMs, force })
          assert.equal(reserved.granted, expected)
          for (const [at, { name }] of claims.entries()) {
            assert.equal(reserved.states[at]!.current, model.counted.get(name) ?? 0, name)
            assert.equal(reserved.states[at]!.held, model.heldOf(name), name)
          }
        }
        await compare(model, real)
      },
      toString: () =>
        `reserve ${id} ${claims.map(({ name, amount }) => `${name}+${amount}`)} ${force ? 'by force' : ''}`,
    }
  })

const settling = fc
  .tuple(
    ids,
    fc.array(
      fc.tuple(fc.nat(buckets.length - 1), fc.integer({ min: -90, max: 90 }), fc.constantFrom('', 'back', 'unless')),
    ),
  )
  .map(([id, parts]): Check => {
    const unique = parts.filter(([at], index) => parts.findIndex(([other]) => other === at) === index)
    return {
      check: () => true,
      async run(model, real) {
        const charges = unique.map(([at, amount, how]) => {
          const { countsAtOnce, ...claim } = claimOf(at, how === 'back' ? Math.abs(amount) : amount)
          const takenBackFrom = how === 'back' && countsAtOnce ? 1 : undefined
          return { ...claim, takenBackFrom, unlessReserved: how === 'unless' && countsAtOnce }
        })
        const keys = new Set(charges.map(({ key }) => key))
        if (!model.settled.has(id)) {
          // Only keys that are settled give back what they hold.
          const lease = model.held.get(id)
          for (const name of [...(lease?.keys() ?? [])]) {
            if (keys.has(buckets.find((bucket) => bucket.name === name)!.key)) lease?.delete(name)
          }
          for (const { name, amount, takenBackFrom, unlessReserved } of charges) {
            if (unlessReserved && model.reserved.has(id)) continue
            if (takenBackFrom === undefined) model.count(name, amount, true)
            else {
              const counted = model.counted.get(name) ?? 0
              if (counted > 0) model.counted.set(name, Math.max(0, counted - amount))
            }
          }
          model.settled.add(id)
        }
        const named = charges.map((charge) => ({ ...charge, key: real.name(charge.key) }))
        for (const store of real.stores) await store.settle({ id, slot: 'acme', charges: named })
        await compare(model, real)
      },
      toString: () => `settle ${id} ${unique}`,
    }
  })

const resetting = fc.constantFrom('user:ada', 'team:acme').map(
  (key): Check => ({
    check: () => true,
    async run(model, real) {
      for (const bucket of buckets) {
        if (bucket.key !== key) continue
        model.counted.delete(bucket.name)
        model.later.delete(bucket.name)
      }
      for (const store of real.stores) await store.reset(real.name(key), 'acme')
      await compare(model, real)
    },
    toString: () => `reset ${key}`,
  }),
)

/** With more than nothing, as if a part of what is held had ended meanwhile. */
const renewing = fc.tuple(ids, fc.nat(20)).map(
  ([id, more]): Check => ({
    check: (model) => model.held.has(id) && !model.settled.has(id),
    async run(model, real) {
      const lease = model.held.get(id)!
      for (const [name, amount] of lease) lease.set(name, amount + more)
      const byKey = (key: string) =>
        Object.fromEntries([...lease].filter(([name]) => buckets.find((bucket) => bucket.name === name)!.key === key))
      const leases = ['user:ada', 'team:acme'].map((key) => ({
        id,
        slot: 'acme',
        key: real.name(key),
        held: byKey(key),
      }))
      for (const store of real.stores)
        await store.renew(
          leases.filter(({ held }) => Object.keys(held).length > 0),
          leaseMs,
        )
      await compare(model, real)
    },
    toString: () => `renew ${id} +${more}`,
  }),
)

describe('the stores do what a plain model does', { skip: withoutRedis }, () => {
  let server: RedisServer
  before(async () => {
    server = await startRedis()
  })
  after(() => server.stop())

  const clients: Record<string, () => Promise<{ client: RedisClient; close(): unknown }>> = {
    ioredis: async () => {
      const client = new Redis(server.port, '127.0.0.1')
      return { client, close: () => client.disconnect() }
    },
    'redis (node-redis)': async () => {
      const client = createClient({ url: `redis://127.0.0.1:${server.port}` })
      await client.connect()
      return { client: client, close: () => client.destroy() }
    },
  }

  for (const [name, connect] of Object.entries(clients)) {
    for (const slot of ['one', 'tenant'] as const) {
      test(`memory and ${name}, keys by ${slot}`, async () => {
        const { client, close } = await connect()
        let run = 0
        try {
          await fc.assert(
            fc.asyncProperty(
              fc.commands([reserving, settling, resetting, renewing], { maxCommands: 25 }),
              async (commands) => {
                const prefix = `${name}-${slot}-${run++}:`
                const stores = [new MemoryStore(), redisStore({ client, slot, prefix })]
                await fc.asyncModelRun(() => ({ model: new Model(), real: { stores, name: (key) => key } }), commands)
              },
            ),
            { numRuns: 60 },
          )
        } finally {
          close()
        }
      })
    }
  }
})
