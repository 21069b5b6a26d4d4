import { parseInteger, parseItems, type StreamItem } from './redis-answers.js'
import { ALIVE_MS } from './redis-appends.js'
import type { RedisKeys } from './redis-keys.js'
import type { RedisLink } from './redis-link.js'
import { journalScripts } from './redis-scripts.js'

/** How often a process says that it is alive, and asks which others are. */
const RENEW_MS = 1000

interface PresenceSettings {
  readonly link: RedisLink
  readonly keys: RedisKeys
  readonly process: string
  /** Whether anybody may ask for this process, or it for others. */
  isInUse(): boolean
  /** Processes of which it matters whether they are alive. */
  others(): ReadonlySet<string>
  /**
   * Called after each round.
   *
   * @param gone those that were silent twice: after Redis was away, the others may be late
   * @param silent those that were silent this time
   */
  onOthers(gone: ReadonlySet<string>, silent: ReadonlySet<string>): void
  /** Somebody has left a message. */
  onMessage(fields: ReadonlyMap<string, string>): void
  /** Redis is still out of reach. */
  onUnreachable(): void
  /** Called after each round. @param isNew Redis knew nothing of this process, or others may think that it is gone */
  onRound(isNew: boolean): void
}

/** Says that this process is alive, collects its messages, and notices which other processes are gone. */
export class RedisPresence {
  readonly #settings: PresenceSettings
  readonly #timer: NodeJS.Timeout
  /** Ids of messages that were read: since the last round, and before. They may come twice. */
  #read = new Set<string>()
  #readBefore: ReadonlySet<string> = new Set()
  #silentBefore: ReadonlySet<string> = new Set()
  #isRunning = false

  constructor(settings: PresenceSettings) {
    this.#settings = settings
    this.#timer = setInterval(() => void this.#round(), RENEW_MS).unref()
  }

  /** Takes messages, from the answer of a round or from elsewhere. */
  receive(items: readonly StreamItem[]): void {
    for (const [id, fields] of items) {
      if (this.#read.has(id) || this.#readBefore.has(id)) continue
      this.#read.add(id)
      this.#settings.onMessage(fields)
    }
  }

  /** Ends the rounds, and says that this process is gone. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    const { link, keys, process } = this.#settings
    await link.run(journalScripts.leave, [keys.alive, keys.inbox(process)], [process]).catch(() => {})
  }

  async #round(): Promise<void> {
    const { link, isInUse } = this.#settings
    if (this.#isRunning || !(isInUse() || link.isDown)) return
    if (link.isDown && !link.isFree) return this.#settings.onUnreachable()
    this.#isRunning = true
    try {
      this.#settings.onRound(await this.#renew())
    } catch {
      // The link counts it, and it is tried again.
      if (link.isDown) this.#settings.onUnreachable()
    } finally {
      this.#isRunning = false
    }
  }

  /** @returns whether Redis did not know this process, or it was late */
  async #renew(): Promise<boolean> {
    const { link, keys, process, others, onOthers } = this.#settings
    const read = [...this.#read]
    const names = [keys.alive, keys.inbox(process)]
    const args = [process, String(ALIVE_MS), String(read.length), ...read, ...others()]
    const script = journalScripts.renew
    const answer = await (link.isDown ? link.probe(script, names, args) : link.run(script, names, args))
    if (!Array.isArray(answer) || !Array.isArray(answer[1])) throw new Error('Redis sent an unexpected answer')
    for (const id of read) this.#read.delete(id)
    this.#readBefore = new Set(read)
    this.receive(parseItems(answer[0]))
    const silent = new Set(answer[1].map(String))
    onOthers(new Set([...silent].filter((each) => this.#silentBefore.has(each))), silent)
    this.#silentBefore = silent
    return parseInteger(answer[2]) === 1
  }
}
