import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { redisStore } from '../../lib/quota/redis-store.js'
import type { Claim } from '../../lib/quota/store.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { breakingRedis } from '../support/redis-links.js'

const place: Claim = {
  ...{ key: 'user:ada', name: 'concurrent', window: { kind: 'none' }, allowed: 2 },
  ...{ amount: 1, countsAtOnce: false },
}
const [slot, leaseMs] = ['acme', 60_000]
const leases = 'ai-quota:{all}leases:user:ada'

describe('a store in Redis', { skip: withoutRedis }, () => {
  let server: RedisServer
  let client: Redis
  before(async () => {
    server = await startRedis()
    client = new Redis(server.port, '127.0.0.1')
  })
  beforeEach(() => client.flushall())
  after(async () => {
    client.disconnect()
    await server.stop()
  })

  describe('that has evicted the leases of a key, and not what they hold,', () => {
    const lose = async () => {
      const store = redisStore({ client })
      await store.reserve({ id: 'a', slot, claims: [place], leaseMs })
      await client.del(leases)
      return store
    }
    /** Lets all leases end. */
    const end = async () => {
      for (const id of await client.zrange(leases, 0, '-1')) await client.zadd(leases, 1, id)
    }

    test('knows the lease again when its process renews it', async () => {
      const store = await lose()
      await store.renew([{ id: 'a', slot, key: place.key, held: { concurrent: 1 } }], leaseMs)
      const [known] = await store.read(place.key, slot)
      assert.equal(known?.held, 1)
      await end()
      const [ended] = await store.read(place.key, slot)
      assert.equal(ended?.held, 0)
    })

    test('gives back what a process holds that is gone, at the end of a lease', async () => {
      const store = await lose()
      const second = await store.reserve({ id: 'b', slot, claims: [place], leaseMs })
      assert.deepEqual([second.granted, second.states[0]?.held], [true, 2])
      assert.equal((await store.reserve({ id: 'c', slot, claims: [place], leaseMs })).granted, false)
      await end()
      const later = await store.reserve({ id: 'd', slot, claims: [place], leaseMs })
      assert.deepEqual([later.granted, later.states[0]?.held], [true, 1])
      const keys = await client.keys('*')
      for (const key of keys) assert.ok((await client.pttl(key)) > 0, `${key} expires`)
    })
  })

  for (const [what, allowed, force] of [
    ['granted', 1, false],
    ['taken by force', 0, true],
  ] as const) {
    test(`takes a reservation once that is ${what}, and that the client sends again because its answer was lost`, async () => {
      const link = await breakingRedis(server.port)
      const breaking = new Redis(link.port, '127.0.0.1')
      breaking.on('error', () => {})
      const store = redisStore({ client: breaking })
      const request = { key: place.key, name: 'requests:1d', window: { kind: 'sliding', ms: 86_400_000 } } as const
      const claims: Claim[] = [
        { ...place, allowed },
        { ...request, allowed, amount: 1, countsAtOnce: true },
      ]
      try {
        // The server knows the script from now on.
        await store.reserve({ id: 'a', slot, claims: claims.map((claim) => ({ ...claim, key: 'other' })), leaseMs })
        link.loseNext()
        const { granted, states } = await store.reserve({ id: 'b', slot, claims, leaseMs, force })
        assert.deepEqual([granted, states[0]?.held, states[1]?.current], [!force, 1, 1])
        // It asks for more.
        link.loseNext()
        const more = [{ ...place, allowed: 2, amount: 1 }]
        const further = await store.reserve({ id: 'b', slot, claims: more, leaseMs })
        assert.deepEqual([further.granted, further.states[0]?.held], [true, 2])
      } finally {
        breaking.disconnect()
        await link.close()
      }
    })
  }

  test('lets a lease end that nobody renews, however busy its key is', async () => {
    const store = redisStore({ client })
    const living = { key: place.key, name: 'tokens:1d', window: { kind: 'sliding', ms: 86_400_000 } } as const
    await store.reserve({ id: 'lost', slot, claims: [place], leaseMs: 200 })
    let calls = 0
    for (let held = 1; held > 0; calls++) {
      const id = `living ${calls}`
      const claims = [{ ...living, allowed: 1e9, amount: 1, countsAtOnce: false }]
      await store.reserve({ id, slot, claims, leaseMs })
      await store.renew([{ id, slot, key: place.key, held: { 'tokens:1d': 1 } }], leaseMs)
      await store.settle({ id, slot, charges: [{ ...living, allowed: 1e9, amount: 1, takenBackFrom: undefined }] })
      held = (await store.read(place.key, slot)).find(({ name }) => name === 'concurrent')!.held
    }
    assert.ok(calls > 1, 'it was held for a while')
  })

  test("tells all tenants apart with slot: 'tenant', whatever their names are", async () => {
    const store = redisStore({ client, slot: 'tenant' })
    for (const tenant of ['a{', 'a}', 'a_', 'a%7B', 'a%', '', '-', '%', '_']) {
      const { granted, states } = await store.reserve({ id: `of ${tenant}`, slot: tenant, claims: [place], leaseMs })
      assert.deepEqual([granted, states[0]?.held], [true, 1], tenant)
    }
  })
})

test('a store in Redis renews the leases of all tenants in one round trip', async () => {
  const answers: (() => void)[] = []
  const client = {
    evalsha: () => new Promise<void>((resolve) => answers.push(resolve)),
    eval: () => Promise.reject(new Error('it knows the script')),
  }
  const held = Array.from({ length: 60 }, (_, at) => ({
    ...{ id: `${at}`, slot: `tenant-${at % 3}`, key: place.key },
    held: { concurrent: 1 },
  }))
  const renewed = redisStore({ client, slot: 'tenant' }).renew(held, leaseMs)
  assert.equal(answers.length, 3)
  for (const answer of answers) answer()
  await renewed
})
