import { type Journal, memoryJournal, redisJournal } from 'express-ai-proxy/journal'
import { memoryStore, type QuotaStore, redisStore } from 'express-ai-proxy/quota'
import { Redis } from 'ioredis'

/** Where quotas and answers are kept. */
interface Storage {
  readonly store: QuotaStore
  readonly journal: Journal
  /** For the console; holds nothing secret. */
  readonly name: string
  close(): Promise<void>
}

/**
 * Chooses where quotas and answers are kept: in this process, or in the Redis that `REDIS_URL` names, which several processes
 * can share.
 *
 * @throws Error if that is not the URL of a Redis, or the Redis cannot be reached
 */
export async function chooseStorage({ REDIS_URL: url }: NodeJS.ProcessEnv): Promise<Storage> {
  if (!url) return { store: memoryStore(), journal: memoryJournal(), name: 'in memory', async close() {} }
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new Error('REDIS_URL must be a URL such as redis://localhost:6379')
  }
  // While Redis is away, what is asked of it fails at once: each process counts by itself (`whenStoreFails`), and answers
  // go out without being kept.
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 1000,
  })
  let reason = 'it does not answer'
  client.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.message || error.code || reason // the store and the journal warn of those that come later
  })
  const { host } = new URL(url)
  try {
    await client.connect()
  } catch {
    client.disconnect()
    throw new Error(`The Redis at ${host} (REDIS_URL) cannot be reached: ${reason}`)
  }
  const journal = redisJournal({ client })
  return {
    store: redisStore({ client }),
    journal,
    name: `in the Redis at ${host}`,
    async close() {
      await journal.close()
      client.disconnect()
    },
  }
}
