import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { KeptAnswers } from '../../lib/journal/answer-cache.js'
import { redisJournal } from '../../lib/journal.js'
import { changedJournal } from '../e2e/journal/support.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { batchOf, entryOf, Told } from './support.js'

test('kept answers can be read for a while after no further request gets them, also once they are replaced', async () => {
  const kept: [id: string, ms: number][] = []
  const named: number[] = []
  const { journal } = changedJournal((memory) => ({
    keep: (id, ms) => void kept.push([id, ms]),
    put: (name, value, ms) => {
      named.push(ms)
      return memory.put(name, value, ms)
    },
  }))
  const answers = new KeptAnswers(journal, { ttlMs: 1000, readMs: 60_000 })
  const answer = { scope: 'all', path: '/', model: 'm', bytes: 3, hasUsage: true }
  await answers.store('key', { ...answer, id: 'a' })
  await answers.store('key', { ...answer, id: 'b' })
  assert.deepEqual(kept, [
    ['a', 61_000],
    ['b', 61_000],
    ['a', 60_000],
  ])
  assert.deepEqual(named, [1000, 1000])
})

describe('kept answers in a Redis that evicts keys', { skip: withoutRedis }, () => {
  let server: RedisServer
  let client: Redis
  before(async () => {
    server = await startRedis()
    client = new Redis(server.port, '127.0.0.1')
  })
  after(async () => {
    client.disconnect()
    await server.stop()
  })

  for (const part of ['entry', 'events']) {
    test(`are not found any more if their ${part} are gone, and forgotten`, async (t) => {
      const journal = redisJournal({ client })
      t.after(() => journal.close())
      const answers = new KeptAnswers(journal, { ttlMs: 60_000, readMs: 60_000 })
      const id = `answer-${part}`
      const writer = journal.create(entryOf(id), new Told())
      writer.setHead({ status: 200, headers: {}, framing: 'sse' })
      writer.append(batchOf(1, 'one'))
      writer.end({ how: 'complete', about: '{}' })
      await answers.store(part, { id, scope: 'all', path: '/', model: 'm', bytes: 3, hasUsage: true })
      assert.equal((await answers.find(part))?.id, id)
      await client.del(`ai-journal:{0}${part}:${id}`)
      assert.equal(await answers.find(part), undefined)
      assert.equal(await journal.get(`c:${part}`), undefined)
    })
  }
})
