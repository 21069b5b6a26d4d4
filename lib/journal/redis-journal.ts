import { randomBytes } from 'node:crypto'
import type {
  Journal,
  JournalPage,
  JournalStats,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from '../api/journal.js'
import { formatError } from '../util/format-error.js'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { isCluster, isRedisClient, type RedisClient } from '../util/redis-client.js'
import { warn } from '../util/warn.js'
import { tagCount, tagOf } from './redis-keys.js'
import { RedisLane } from './redis-lane.js'
import { isCopyable } from './redis-waiting-connection.js'

/** Options of {@link redisJournal}. */
export interface RedisJournalOptions {
  /**
   * A connected client of `ioredis` or of `redis` (node-redis 4 or later), for one server or for a cluster. The journal opens
   * a connection like it with its `duplicate()`, in a cluster up to eight, as long as something is read there. All processes
   * must use the same kind: one server, or a cluster.
   */
  readonly client: RedisClient
  /** Prefix of all keys' names. Default `'ai-journal:'`. */
  readonly prefix?: string
  /** How long a call may take, in milliseconds, before Redis counts as out of reach. Default 2000. */
  readonly timeoutMs?: number
  /** How many bytes may wait for Redis in this process. An entry that needs more is given up. Default 4 MiB. */
  readonly maxPendingBytes?: number
}

/**
 * Creates a journal in Redis (6 or later) or Valkey, for any number of processes: any of them can read what another writes.
 * Answers never wait for Redis: if it fails or is slow, the entries that it misses are given up.
 *
 * Create an entry before you put its id under a name: names become known only after all entries that were created before.
 *
 * @throws TypeError if an option is wrong
 */
export function redisJournal(options: RedisJournalOptions): Journal {
  rejectUnknownOptions('redisJournal', '', options, ['client', 'prefix', 'timeoutMs', 'maxPendingBytes'])
  const { client, prefix = 'ai-journal:', timeoutMs = 2000, maxPendingBytes = 4 * 1024 * 1024 } = options
  if (!isRedisClient(client) || !isCopyable(client)) {
    rejectOption('redisJournal', 'client', client, 'a client of ioredis or redis')
  }
  if (typeof prefix !== 'string' || /[{}]/.test(prefix)) {
    rejectOption('redisJournal', 'prefix', prefix, 'a text without { and }')
  }
  for (const [name, value] of Object.entries({ timeoutMs, maxPendingBytes })) {
    const isAbove0 = typeof value === 'number' && value > 0 && value < Infinity
    if (!isAbove0) rejectOption('redisJournal', name, value, 'a number above 0')
  }
  return new RedisJournal(client, { prefix, timeoutMs, maxPendingBytes })
}

interface ResolvedOptions {
  readonly prefix: string
  readonly timeoutMs: number
  readonly maxPendingBytes: number
}

/** Keeps entries in Redis: each, and each name, where its tag is. */
class RedisJournal implements Journal {
  readonly #lanes: readonly RedisLane[]
  #pendingBytes = 0
  #failures = 0
  #incomplete = 0
  /** Tags that are out of reach. */
  #down = 0

  constructor(client: RedisClient, { prefix, timeoutMs, maxPendingBytes }: ResolvedOptions) {
    const process = randomBytes(12).toString('base64url')
    const waiting = {
      reserve: (bytes: number) => {
        if (this.#pendingBytes + bytes > maxPendingBytes) return false
        this.#pendingBytes += bytes
        return true
      },
      release: (bytes: number) => {
        this.#pendingBytes -= bytes
      },
    }
    const lane = (tag: number) =>
      new RedisLane(tag, {
        ...{ client, prefix, process, timeoutMs, waiting },
        onFailure: () => this.#failures++,
        onDown: (error) => this.#noteDown(error),
        onUp: () => this.#down--,
        onIncomplete: () => this.#incomplete++,
      })
    this.#lanes = Array.from({ length: tagCount(isCluster(client)) }, (_, tag) => lane(tag))
  }

  create(entry: NewJournalEntry, callbacks: JournalWriterCallbacks): JournalWriter {
    return this.#lane(entry.id).create(entry, callbacks)
  }

  read(id: string, after: number, maxBytes: number): JournalPage | Promise<JournalPage> {
    return this.#lane(id).read(id, after, maxBytes)
  }

  watch(id: string, onChange: () => void): () => void {
    return this.#lane(id).watch(id, onChange)
  }

  stop(id: string): Promise<void> {
    return this.#lane(id).stop(id)
  }

  keep(id: string, ms: number): Promise<void> {
    return this.#lane(id).keep(id, ms)
  }

  remove(id: string): Promise<void> {
    return this.#lane(id).remove(id)
  }

  async put(name: string, value: string, ttlMs: number, ifAbsent = false): Promise<boolean> {
    const created = this.#lanes.map((lane) => lane.created()).filter((each) => each !== undefined)
    if (created.length > 0) await Promise.all(created)
    return this.#lane(name).names.put(name, value, ttlMs, ifAbsent)
  }

  get(name: string): Promise<string | undefined> {
    return this.#lane(name).names.get(name)
  }

  drop(name: string, ifValue?: string): Promise<boolean> {
    return this.#lane(name).names.drop(name, ifValue)
  }

  async list(prefix: string): Promise<readonly (readonly [string, string])[]> {
    return (await Promise.all(this.#lanes.map((lane) => lane.names.list(prefix)))).flat()
  }

  stats(): JournalStats {
    const sizes = this.#lanes.map((lane) => lane.size)
    return {
      entries: sizes.reduce((sum, { entries }) => sum + entries, 0),
      bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
      failures: this.#failures,
      incomplete: this.#incomplete,
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()))
  }

  #lane(text: string): RedisLane {
    return this.#lanes[tagOf(text, this.#lanes.length)]!
  }

  #noteDown(error: unknown): void {
    if (this.#down++ > 0) return
    warn(
      'AI_PROXY_JOURNAL_STORE',
      'The journal cannot reach Redis: answers go on, but cannot be resumed, cached or shared until it is back',
      // Some servers quote what they were sent.
      formatError(error).replace(/,? with args beginning with:.*/gs, ''),
    )
  }
}
