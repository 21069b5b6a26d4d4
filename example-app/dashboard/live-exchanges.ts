import type { AiProxy, AiProxyStats, ExchangeRecord, ExchangeSnapshot, Observer } from 'express-ai-proxy'

/** An exchange under way. */
type ActiveRow = ExchangeSnapshot & { provider: string }

/** The record of one that has ended. */
type FinishedRow = ExchangeRecord & { provider: string }

type Gauges = Pick<
  AiProxyStats,
  'active' | 'streams' | 'waitingForTurn' | 'waitingForDrain' | 'exchanges' | 'maxTurnMs'
>

/** What goes on in several middlewares: those under way, the last that ended, and a hand on each. */
export class LiveExchanges {
  readonly #proxies = new Map<string, AiProxy>()
  #finished: readonly FinishedRow[] = []
  readonly #keep: number
  readonly #onClose = new AbortController()

  constructor(keep = 30) {
    this.#keep = keep
  }

  /** To be given to the middleware: it tells what ends. */
  observer(provider: string): Observer {
    return {
      onFinish: (record) => {
        this.#finished = [{ provider, ...record }, ...this.#finished].slice(0, this.#keep)
      },
    }
  }

  /** The middleware itself: it tells how far its exchanges are. */
  watch(provider: string, proxy: AiProxy): void {
    this.#proxies.set(provider, proxy)
  }

  get active(): ActiveRow[] {
    return [...this.#proxies].flatMap(([provider, proxy]) => proxy.exchanges().map((one) => ({ provider, ...one })))
  }

  /** The last that ended, newest first: another array whenever one more has. */
  get finished(): readonly FinishedRow[] {
    return this.#finished
  }

  get gauges(): Gauges {
    const all = [...this.#proxies.values()].map((proxy) => proxy.stats())
    const sum = (name: keyof Gauges) => all.reduce((total, stats) => total + stats[name], 0)
    const most = (name: keyof Gauges) => Math.max(0, ...all.map((stats) => stats[name]))
    return {
      active: sum('active'),
      streams: sum('streams'),
      waitingForDrain: sum('waitingForDrain'),
      // All middlewares of a process share their turns, so each tells the same number of waiting streams.
      waitingForTurn: most('waitingForTurn'),
      exchanges: sum('exchanges'),
      maxTurnMs: most('maxTurnMs'),
    }
  }

  /** Ends an exchange. @returns whether it was under way */
  abort(id: string): boolean {
    return [...this.#proxies.values()].some((proxy) => proxy.abort(id))
  }

  /** Aborted when nobody is to be shown anything any more. */
  get over(): AbortSignal {
    return this.#onClose.signal
  }

  close(): void {
    this.#onClose.abort()
  }
}
