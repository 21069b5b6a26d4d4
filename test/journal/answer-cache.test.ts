import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Redis } from 'ioredis'
import { KeptAnswers } from '../../lib/journal/answer-cache.js'
import { redisJournal } from '../../lib/journal.js'
import { type RedisServer, startRedis, withoutRedis } from '../support/redis.js'
import { batchOf, entryOf, Told } from './support.js'

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
      const answers = new KeptAnswers(journal, 60_000)
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
