import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Cluster, Redis } from 'ioredis'
import { createCluster } from 'redis'
import { redisStore } from '../../lib/quota/redis-store.js'
import type { Claim, Lease } from '../../lib/quota/store.js'
import type { RedisClient } from '../../lib/util/redis-client.js'
import { type RedisServer, withoutRedis } from '../support/redis.js'
import { startRedisCluster } from '../support/redis-cluster.js'

const leaseMs = 600_000
const sliding = { kind: 'sliding', ms: 1e12 } as const

const requests = (key: string): Claim => ({
  ...{ key, name: 'requests:1d', window: sliding, allowed: 5, amount: 1, countsAtOnce: true },
})
const tokens = (key: string): Claim => ({
  ...{ key, name: 'tokens:1d', window: sliding, allowed: 100, amount: 30, countsAtOnce: false },
})

describe('a Redis cluster', { skip: withoutRedis }, () => {
  let server: RedisServer
  let direct: Redis
  before(async () => {
    server = await startRedisCluster()
    direct = new Redis(server.port, '127.0.0.1')
  })
  beforeEach(() => direct.flushall())
  after(async () => {
    direct.disconnect()
    await server.stop()
  })

  /** The hash slots of all keys that match a pattern. */
  const slotsOf = async (pattern: string) => {
    const keys = await direct.keys(pattern)
    return new Set(await Promise.all(keys.map((key) => direct.cluster('KEYSLOT', key))))
  }

  const clients: Record<string, () => Promise<{ client: RedisClient; close(): unknown }>> = {
    ioredis: async () => {
      const client = new Cluster([{ host: '127.0.0.1', port: server.port }])
      return { client, close: () => client.disconnect() }
    },
    'redis (node-redis)': async () => {
      const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${server.port}` }] })
      await client.connect()
      return { client, close: () => client.destroy() }
    },
  }

  for (const [name, connect] of Object.entries(clients)) {
    describe(`with the client ${name}`, () => {
      let client: RedisClient
      let close: () => unknown
      before(async () => ({ client, close } = await connect()))
      after(() => close())

      // An empty hash tag, or a brace in one, would spread a tenant's keys over all slots.
      for (const slot of ['acme', '', '{', '}', 'a{b}c', '{}']) {
        test(`has all keys of tenant '${slot}' in one slot, from reservation to reset`, async () => {
          const store = redisStore({ client })
          const claims = [requests('user:ada'), tokens('user:ada'), tokens('team:{acme}')]
          assert.equal((await store.reserve({ id: 'a', slot, claims, leaseMs })).granted, true)
          assert.equal((await store.reserve({ id: 'a', slot, claims: claims.slice(1), leaseMs })).granted, true)
          const held = { 'tokens:1d': 60 }
          await store.renew(
            [
              { id: 'a', slot, key: 'user:ada', held },
              { id: 'a', slot, key: 'team:{acme}', held },
            ],
            leaseMs,
          )
          assert.equal((await slotsOf('*')).size, 1)
          const charges = claims.map((claim) => ({
            ...claim,
            amount: claim.countsAtOnce ? 0 : 42,
            takenBackFrom: undefined,
          }))
          await store.settle({ id: 'a', slot, charges })
          const standing = async (key: string) =>
            Object.fromEntries((await store.read(key, slot)).map((state) => [state.name, [state.current, state.held]]))
          assert.deepEqual(await standing('user:ada'), { 'requests:1d': [1, 0], 'tokens:1d': [42, 0] })
          assert.deepEqual(await standing('team:{acme}'), { 'tokens:1d': [42, 0] })
          await store.reset('user:ada', slot)
          assert.deepEqual(await standing('user:ada'), { 'requests:1d': [0, 0], 'tokens:1d': [0, 0] })
          assert.equal((await slotsOf('*')).size, 1)
        })
      }

      test('counts a key that two tenants share for each of them, and renews leases of both', async () => {
        const store = redisStore({ client })
        const claims = [{ ...tokens('everybody'), amount: 80 }]
        const leases: Lease[] = []
        for (const slot of ['acme', 'globex']) {
          assert.equal((await store.reserve({ id: slot, slot, claims, leaseMs: 1 })).granted, true)
          leases.push({ id: slot, slot, key: 'everybody', held: { 'tokens:1d': 80 } })
        }
        assert.equal((await slotsOf('*')).size, 2, 'a script with keys of both would be refused')
        await store.renew(leases, leaseMs)
        for (const slot of ['acme', 'globex']) {
          const states = await store.read('everybody', slot)
          assert.deepEqual(
            states.map(({ held }) => held),
            [80],
          )
        }
      })

      test("counts it once with slot: 'one'", async () => {
        const store = redisStore({ client, slot: 'one' })
        const claims = [{ ...tokens('everybody'), amount: 80 }]
        assert.equal((await store.reserve({ id: 'a', slot: 'acme', claims, leaseMs })).granted, true)
        assert.equal((await store.reserve({ id: 'b', slot: 'globex', claims, leaseMs })).granted, false)
        assert.equal((await slotsOf('*')).size, 1)
      })

      test('is sent a script again if it has forgotten it', async () => {
        const store = redisStore({ client })
        const reserve = (id: string) => store.reserve({ id, slot: 'acme', claims: [requests('user:ada')], leaseMs })
        await reserve('a')
        await direct.script('FLUSH')
        assert.equal((await reserve('b')).states[0]!.current, 2)
      })
    })
  }

  test('refuses a script with keys of two tenants: the tests above would see one', async () => {
    const script = "return redis.call('GET', KEYS[1])"
    await assert.rejects(direct.eval(script, 2, 'q:{acme}a', 'q:{globex}a'), /CROSSSLOT/)
  })
})
