import { memoryStore, type QuotaStore, redisStore } from 'express-ai-proxy/quota'
import { Redis } from 'ioredis'

/** Where quotas are kept. */
interface ChosenStore {
  readonly store: QuotaStore
  /** For the console; holds nothing secret. */
  readonly name: string
  close(): void
}

/**
 * Chooses where quotas are kept: in this process, or in the Redis that `REDIS_URL` names, which several processes can share.
 *
 * @throws Error if that is not the URL of a Redis, or the Redis cannot be reached
 */
export async function chooseStore({ REDIS_URL: url }: NodeJS.ProcessEnv): Promise<ChosenStore> {
  if (!url) return { store: memoryStore(), name: 'in memory', close() {} }
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new Error('REDIS_URL must be a URL such as redis://localhost:6379')
  }
  // While Redis is away, what is asked of it fails at once, and each process counts by itself (`whenStoreFails`).
  const client = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 1000,
  })
  let reason = 'it does not answer'
  client.on('error', (error: NodeJS.ErrnoException) => {
    reason = error.message || error.code || reason // the quota warns of those that come later
  })
  const { host } = new URL(url)
  try {
    await client.connect()
  } catch {
    client.disconnect()
    throw new Error(`The Redis at ${host} (REDIS_URL) cannot be reached: ${reason}`)
  }
  return { store: redisStore({ client }), name: `in the Redis at ${host}`, close: () => client.disconnect() }
}
