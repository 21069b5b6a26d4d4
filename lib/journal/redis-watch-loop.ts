import { setTimeout as delay } from 'node:timers/promises'
import type { RedisClient } from '../util/redis-client.js'
import type { StreamItem } from './redis-answers.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'
import { WaitingConnection } from './redis-waiting-connection.js'

/** After this time without Redis, readers are notified: they must not wait for what may never come. */
export const SILENCE_MS = 5000
/** How long one call waits for items. */
const WAIT_MS = 5000
/** How long the connection stays if nothing is watched. */
const IDLE_MS = 30_000
const MIN_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1000
/** Items that one call returns at most, of all entries together. */
const ITEMS_AT_ONCE = 256

interface LoopSettings {
  readonly client: RedisClient
  readonly link: RedisLink
  readonly keys: RedisKeys
  readonly process: string
  readonly timeoutMs: number
  /** Whether messages for this process matter although nothing is watched. */
  isAddressed(): boolean
  /** The streams to wait for, with the item of each that was seen last. */
  streams(): ReadonlyMap<string, string>
  /** Looks up the watched entries again, because something may have been missed. */
  reload(): Promise<void>
  onItems(found: ReadonlyMap<string, readonly StreamItem[]>): void
  /** Messages for this process have come. */
  onMessages(items: readonly StreamItem[]): void
  /** It fails, and has failed for some time. */
  onSilence(): void
}

/** Waits for items in all streams that are watched, and for messages, with one call at a time on a connection of its own. */
export class RedisWatchLoop {
  readonly #settings: LoopSettings
  #connection: WaitingConnection | undefined
  #isRunning = false
  #isWaiting = false
  #isWoken = false
  #isClosed = false
  /** The message that was seen last. */
  #inboxPosition = '0-0'
  /** Ends a pause of the loop. */
  #go: (() => void) | undefined

  constructor(settings: LoopSettings) {
    this.#settings = settings
  }

  /** Has the loop wait for messages. */
  listen(): void {
    this.#go?.()
    if (!this.#isRunning && !this.#isClosed) void this.#run()
  }

  /** Has the loop see the entries as they are now. */
  wake(): void {
    this.listen()
    if (!this.#isWaiting || this.#isWoken) return
    this.#isWoken = true
    const { link, keys, process } = this.#settings
    link.run(journalScripts.post, [keys.inbox(process)], ['k', 'w']).catch(() => {
      this.#isWoken = false
    })
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.close()
    this.#go?.()
  }

  async #run(): Promise<void> {
    const { link, streams, isAddressed, reload, onSilence } = this.#settings
    this.#isRunning = true
    let failures = 0
    let failedAt = 0
    while (!this.#isClosed) {
      const count = streams().size
      if (count === 0 && !isAddressed()) {
        if (await this.#isIdle()) break
        continue
      }
      try {
        if (failures > 0) await reload()
        await this.#read()
        failures = 0
        // Many entries are asked for less often: each call names all of them.
        if (count > 100) await delay(Math.min(20, count / 50))
      } catch (error) {
        if (this.#isClosed) break
        if (failures === 0) failedAt = performance.now()
        link.fail(error)
        this.#inboxPosition = '0-0'
        this.#connection?.close()
        this.#connection = undefined
        if (performance.now() - failedAt >= SILENCE_MS) onSilence()
        await delay(Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** failures++), undefined, { ref: false })
      }
    }
    this.#connection?.close()
    this.#connection = undefined
    this.#isRunning = false
  }

  async #read(): Promise<void> {
    const { client, keys, process, timeoutMs, onMessages, onItems } = this.#settings
    this.#connection ??= await WaitingConnection.open(client, timeoutMs)
    if (this.#isClosed) return
    const inbox = keys.inbox(process)
    // Those that begin to watch while the connection opens are not overlooked.
    const streams = this.#settings.streams()
    const count = Math.max(1, Math.floor(ITEMS_AT_ONCE / (streams.size + 1)))
    this.#isWaiting = true
    try {
      const after = new Map([[inbox, this.#inboxPosition], ...streams])
      const found = await this.#connection.read(WAIT_MS, timeoutMs, count, after)
      const messages = found.get(inbox) ?? []
      this.#inboxPosition = messages.at(-1)?.[0] ?? this.#inboxPosition
      onMessages(messages)
      onItems(found)
    } finally {
      this.#isWaiting = false
      this.#isWoken = false
    }
  }

  /** Waits until there is something to wait for. @returns whether there was nothing for long */
  async #isIdle(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const isIdle = await new Promise<boolean>((resolve) => {
      const go = () => resolve(false)
      timer = setTimeout(() => resolve(true), IDLE_MS).unref()
      this.#go = go
    })
    clearTimeout(timer)
    this.#go = undefined
    return isIdle && this.#settings.streams().size === 0 && !this.#settings.isAddressed()
  }
}
