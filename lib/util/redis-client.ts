import { createHash } from 'node:crypto'

/** What is used of a client of `ioredis`, or of its `Cluster`. */
interface IoredisClient {
  evalsha(sha: string, keys: number, ...args: string[]): Promise<unknown>
  eval(script: string, keys: number, ...args: string[]): Promise<unknown>
  readonly isCluster?: boolean
}

/** What is used of a client of `redis` (node-redis), or of its cluster. */
interface NodeRedisClient {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** A client of `ioredis` or of `redis` (node-redis, from version 4 on), for one server or for a cluster. */
export type RedisClient = IoredisClient | NodeRedisClient

/** A script, and the hash by which the server knows it once it has run. */
export class RedisScript {
  readonly #text: string
  readonly #sha: string

  constructor(text: string) {
    this.#text = text
    this.#sha = createHash('sha1').update(text).digest('hex')
  }

  /** Runs the script: by its hash, or by its text if the server does not know it. */
  async run(client: RedisClient, keys: string[], args: string[]): Promise<unknown> {
    try {
      return await (isIoredis(client)
        ? client.evalsha(this.#sha, keys.length, ...keys, ...args)
        : client.evalSha(this.#sha, { keys, arguments: args }))
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return isIoredis(client)
        ? client.eval(this.#text, keys.length, ...keys, ...args)
        : client.eval(this.#text, { keys, arguments: args })
    }
  }
}

/** Returns whether a client is one of `ioredis`. */
export function isIoredis(client: RedisClient): client is IoredisClient {
  return 'evalsha' in client
}

/** Returns whether an object can run scripts as one of the clients does. */
export function isRedisClient(client: unknown): client is RedisClient {
  if (typeof client !== 'object' || client === null) return false
  const { evalsha, evalSha } = client as Record<string, unknown>
  return typeof evalsha === 'function' || typeof evalSha === 'function'
}

/** Returns whether a client speaks to a cluster, in which all keys of a script must be in one hash slot. */
export function isCluster(client: RedisClient): boolean {
  // ioredis says so; the cluster of node-redis has the masters of its slots.
  return (client as IoredisClient).isCluster === true || 'masters' in client
}
