import type { TargetStats } from '../api/attempt-record.js'
import { AiProxyError, limitFailure } from '../api/errors.js'
import type { Limits, ResolvedLimits } from '../api/limits.js'
import type { ExchangeRecord, ExchangeSnapshot } from '../api/record.js'
import type { AiProxyStats, PolicyFigures } from '../api/stats.js'
import { MAX_TIMER_MS } from '../util/max-timer.js'
import type { Exchange, ExchangeController } from './exchange.js'
import { IndexedSet } from './indexed-set.js'

const summed = ['requestBytes', 'upstreamBytes', 'downstreamBytes', 'events', 'turns', 'busyMs'] as const

/** How long a client may take to read the last bytes of an exchange that `close()` ended. */
const FORCE_CLOSE_AFTER_MS = 1000

/** Registry of a middleware's exchanges: those under way, and totals of those that have ended. */
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
  /** Number of exchanges that count towards `maxConcurrentExchanges`. */
  #admitted = 0
  #streams = 0
  #closing: Promise<void> | undefined
  #onEmpty: (() => void) | undefined
  #forceCloseTimer: NodeJS.Timeout | undefined

  begin(exchange: Exchange, controller: ExchangeController): void {
    this.#totals.exchanges++
    // A request that arrives during `close()` is rejected at once, and not waited for.
    if (this.#closing) return
    exchange.controller = controller
    this.#open.add(exchange)
  }

  /**
   * Admits an exchange whose turn it is to begin, unless it arrived during `close()`.
   *
   * @throws AiProxyError `shutting_down`
   */
  admitArrived(exchange: Exchange): void {
    if (!this.#open.has(exchange)) this.admit()
  }

  /** @throws AiProxyError `shutting_down` */
  admit(): void {
    if (this.#closing) throw shuttingDown()
  }

  /**
   * Counts an exchange that is about to use connections and memory.
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

  /** Aborts the exchange with this id. @returns whether it is under way */
  abort(id: string): boolean {
    const exchange = this.#open.all().find((each) => each.id === id)
    // A hook may call this during a turn, whose frames are still to be written: wait for the next tick.
    if (exchange) process.nextTick(() => this.#open.has(exchange) && end(exchange, (controller) => controller.abort()))
    return exchange !== undefined
  }

  stats(
    waitingForTurn: number,
    heldBytes = 0,
    targets: readonly TargetStats[] = [],
    policies: readonly PolicyFigures[] = [],
    kept: Pick<AiProxyStats, 'cache' | 'journal'> = { cache: undefined, journal: undefined },
  ): AiProxyStats {
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
      targets,
      policies,
      ...kept,
    }
  }

  /** Admits no more exchanges. Resolves when none is left; those that are still under way after `graceMs` are ended. */
  async close(graceMs: number): Promise<void> {
    this.#closing ??=
      this.#open.size === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            this.#onEmpty = resolve
          })
    // A later `close()` may ask for a shorter grace period.
    const grace = setTimeout(() => this.#endAll(), Math.min(graceMs, MAX_TIMER_MS))
    await this.#closing
    clearTimeout(grace)
    clearTimeout(this.#forceCloseTimer)
  }

  #endAll(): void {
    if (this.#forceCloseTimer) return
    this.#forceCloseTimer = setTimeout(
      () => this.#forEach((controller) => controller.destroy(shuttingDown())),
      FORCE_CLOSE_AFTER_MS,
    )
    this.#forEach((controller) => controller.fail(shuttingDown()))
  }

  #forEach(act: (controller: ExchangeController) => void): void {
    for (const exchange of this.#oldestFirst()) end(exchange, act)
  }

  #oldestFirst(): Exchange[] {
    return this.#open.all().sort((a, b) => a.began - b.began)
  }
}

/** Ends an exchange in its own asynchronous context, not in the caller's. */
function end({ asyncContext, controller }: Exchange, act: (controller: ExchangeController) => void): void {
  if (controller) asyncContext.runInAsyncScope(act, undefined, controller)
}

function shuttingDown(): AiProxyError {
  return new AiProxyError('shutting_down', 'The server is shutting down')
}
