import { AiProxyError, limitFailure } from '../api/errors.js'
import type { Limits, ResolvedLimits } from '../api/limits.js'
import type { ExchangeRecord, ExchangeSnapshot } from '../api/record.js'
import type { AiProxyStats } from '../api/stats.js'
import type { Endable, Exchange } from './exchange.js'
import { IndexedSet } from './indexed-set.js'

// Node runs a timer of more than 2^31-1 ms at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1

const summed = ['requestBytes', 'upstreamBytes', 'downstreamBytes', 'events', 'turns', 'busyMs'] as const

/** How long a client may take over the last bytes of an exchange that was ended by `close()`. */
const FORCE_CLOSE_AFTER_MS = 1000

/** The exchanges of a middleware: those under way, and what is remembered of those that have ended. */
export class ExchangeRegistry {
  readonly #open = new IndexedSet<Exchange>()
  readonly #totals = {
    startedAt: Date.now(),
    exchanges: 0,
    outcomes: {
      completed: 0,
      provider_error: 0,
      client_disconnect: 0,
      limit_exceeded: 0,
      upstream_error: 0,
      rejected: 0,
      shutdown: 0,
    },
    limits: {} as Partial<Record<keyof Limits, number>>,
    requestBytes: 0,
    upstreamBytes: 0,
    downstreamBytes: 0,
    events: 0,
    turns: 0,
    busyMs: 0,
    maxTurnMs: 0,
  }
  /** Exchanges that `maxConcurrentExchanges` bounds. */
  #admitted = 0
  #streams = 0
  #closing: Promise<void> | undefined
  #onEmpty: (() => void) | undefined
  #farewell: NodeJS.Timeout | undefined

  begin(exchange: Exchange, controller: Endable): void {
    this.#totals.exchanges++
    // Who comes when it is closing is refused at once, and not waited for.
    if (this.#closing) return
    exchange.controller = controller
    this.#open.add(exchange)
  }

  /** @throws AiProxyError `shutting_down` */
  admit(): void {
    if (this.#closing) throw shuttingDown()
  }

  /**
   * Counts an exchange that is about to take up connections and memory.
   *
   * @throws AiProxyError `too_many_exchanges`
   */
  admitExchange(exchange: Exchange, limits: ResolvedLimits): void {
    if (this.#admitted >= limits.maxConcurrentExchanges) throw limitFailure('too_many_exchanges', limits)
    this.#admitted++
    exchange.isAdmitted = true
  }

  /**
   * Counts an exchange as a stream under way.
   *
   * @throws AiProxyError `too_many_streams`
   */
  admitStream(exchange: Exchange, limits: ResolvedLimits): void {
    if (this.#streams >= limits.maxConcurrentStreams) throw limitFailure('too_many_streams', limits)
    this.#streams++
    exchange.countsAsStream = true
  }

  end(exchange: Exchange, record: ExchangeRecord): void {
    this.#open.delete(exchange)
    if (exchange.isAdmitted) this.#admitted--
    if (exchange.countsAsStream) this.#streams--
    const totals = this.#totals
    totals.outcomes[record.outcome]++
    if (record.limit) totals.limits[record.limit] = (totals.limits[record.limit] ?? 0) + 1
    for (const name of summed) totals[name] += record[name]
    totals.maxTurnMs = Math.max(totals.maxTurnMs, record.maxTurnMs)
    if (this.#open.size === 0) this.#onEmpty?.()
  }

  snapshots(): ExchangeSnapshot[] {
    return this.#oldestFirst().map((exchange) => exchange.snapshot())
  }

  /** Ends the exchange of that id. @returns whether there is one under way */
  abort(id: string): boolean {
    const exchange = this.#open.all().find((each) => each.id === id)
    // An app that calls this from a hook is in the middle of a turn, whose frames are still to be written.
    if (exchange) process.nextTick(() => this.#open.has(exchange) && exchange.controller?.abort())
    return exchange !== undefined
  }

  stats(waitingForTurn: number, heldBytes = 0): AiProxyStats {
    const { outcomes, limits, ...totals } = this.#totals
    const waitingForDrain = this.#open.all().filter(({ phase }) => phase === 'stalled').length
    return {
      ...totals,
      active: this.#open.size,
      streams: this.#streams,
      waitingForDrain,
      waitingForTurn,
      heldBytes,
      outcomes: { ...outcomes },
      limits: { ...limits },
    }
  }

  /** Admits nothing more. Resolves when no exchange is left; those that are after `graceMs` are ended. */
  async close(graceMs: number): Promise<void> {
    this.#closing ??=
      this.#open.size === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.#onEmpty = resolve
          })
    // Another call may be in more of a hurry.
    const grace = setTimeout(() => this.#endAll(), Math.min(graceMs, LONGEST_TIMER_MS))
    await this.#closing
    clearTimeout(grace)
    clearTimeout(this.#farewell)
  }

  #endAll(): void {
    if (this.#farewell) return
    this.#farewell = setTimeout(
      () => this.#each((controller) => controller.destroy(shuttingDown())),
      FORCE_CLOSE_AFTER_MS,
    )
    this.#each((controller) => controller.fail(shuttingDown()))
  }

  #each(act: (controller: Endable) => void): void {
    for (const { controller } of this.#oldestFirst()) if (controller) act(controller)
  }

  #oldestFirst(): Exchange[] {
    return this.#open.all().sort((a, b) => a.began - b.began)
  }
}

function shuttingDown(): AiProxyError {
  return new AiProxyError('shutting_down', 'The server is shutting down')
}
