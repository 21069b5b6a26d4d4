import { inTime } from '../util/in-time.js'
import { isCluster, isIoredis, type RedisClient } from '../util/redis-client.js'
import { parseStreams, type StreamItem } from './redis-answers.js'

/** What is used of a copy of a client, whichever it is. */
interface Copy {
  on(event: 'error' | 'close' | 'connect', listener: () => void): unknown
  /** Of `redis`. */
  unref?(): unknown
  /** Of `ioredis`. */
  readonly stream?: { unref?(): unknown }
  connect?(): Promise<unknown>
  call?(name: string, ...args: string[]): Promise<unknown>
  sendCommand?(...args: unknown[]): Promise<unknown>
  disconnect?(): unknown
  destroy?(): unknown
}

/** What is known of both kinds of clients. */
interface Copyable {
  duplicate(...args: unknown[]): Copy
  readonly options?: { readonly keyPrefix?: unknown }
}

/** Returns whether a client can be copied, as {@link WaitingConnection} needs. */
export function isCopyable(client: RedisClient): boolean {
  return typeof (client as unknown as Copyable).duplicate === 'function'
}

/** A connection of its own, on which a call may wait for streams without holding up the others. */
export class WaitingConnection {
  readonly #copy: Copy
  readonly #isIoredis: boolean
  readonly #isCluster: boolean
  /** `ioredis` puts it in front of keys that are sent, and not of those that come back. */
  readonly #keyPrefix: string
  /** Ends the call that waits. */
  #onClose: (() => void) | undefined

  private constructor(copy: Copy, client: RedisClient) {
    this.#copy = copy
    this.#isIoredis = isIoredis(client)
    this.#isCluster = isCluster(client)
    const keyPrefix = (client as unknown as Copyable).options?.keyPrefix
    this.#keyPrefix = this.#isIoredis && keyPrefix ? String(keyPrefix) : ''
    // With these options, `ioredis` neither repeats a call nor rejects it.
    copy.on('close', () => this.#onClose?.())
    // The app's client says how long the process is needed.
    copy.on('connect', () => copy.stream?.unref?.())
    copy.unref?.()
  }

  /** Opens a connection like a client's. @throws Error if it cannot be opened in time */
  static async open(client: RedisClient, timeoutMs: number): Promise<WaitingConnection> {
    const copy = copyOf(client)
    // Without a listener, an error would end the process; the calls report what matters of it.
    copy.on('error', () => {})
    const connection = new WaitingConnection(copy, client)
    try {
      if (!isIoredis(client)) await inTime(Promise.resolve(copy.connect?.()), timeoutMs, 'Redis')
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /**
   * Waits for items in streams.
   *
   * @param count how many of each stream are returned at most
   * @param after for each stream, the item before
   */
  async read(
    waitMs: number,
    timeoutMs: number,
    count: number,
    after: ReadonlyMap<string, string>,
  ): Promise<ReadonlyMap<string, readonly StreamItem[]>> {
    const keys = [...after.keys()]
    const args = ['COUNT', String(count), 'BLOCK', String(waitMs), 'STREAMS', ...keys, ...after.values()]
    const answer = this.#whileOpen(this.#send(keys[0]!, args))
    const streams = parseStreams(await inTime(answer, waitMs + timeoutMs, 'Redis', false))
    if (this.#keyPrefix === '') return streams
    return new Map([...streams].map(([name, items]) => [name.slice(this.#keyPrefix.length), items]))
  }

  close(): void {
    try {
      // `destroy` is the newer name in `redis`, where `disconnect` may return a promise.
      const closed = !this.#isIoredis && this.#copy.destroy ? this.#copy.destroy() : this.#copy.disconnect?.()
      if (closed instanceof Promise) closed.catch(() => {})
    } catch {
      // It was not open any more.
    }
  }

  #whileOpen<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const onClose = () => reject(new Error('The connection to Redis was closed'))
      this.#onClose = onClose
      answer.then(resolve, reject)
    })
  }

  #send(firstKey: string, args: string[]): Promise<unknown> {
    if (this.#isIoredis) return this.#copy.call!('XREAD', ...args)
    const command = ['XREAD', ...args]
    return this.#isCluster ? this.#copy.sendCommand!(firstKey, false, command) : this.#copy.sendCommand!(command)
  }
}

function copyOf(client: RedisClient): Copy {
  const copyable = client as unknown as Copyable
  if (!isIoredis(client)) return copyable.duplicate()
  // It is used before it is connected.
  if (isCluster(client)) return copyable.duplicate([], { enableOfflineQueue: true })
  return copyable.duplicate({
    enableOfflineQueue: true,
    // These are too short for a call that waits; one that is sent again would wait for what has passed.
    ...{ commandTimeout: undefined, socketTimeout: undefined, autoResendUnfulfilledCommands: false },
  })
}
