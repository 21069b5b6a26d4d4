import type { Response } from 'express'
import type {
  AiProxy,
  AiProxyStats,
  ExchangeRecord,
  ExchangeSnapshot,
  ObservedExchange,
  Observer,
} from 'express-ai-proxy'

interface Origin {
  /** Which of the app's providers. */
  provider: string
  /** Who asked. */
  client: string
}

/** An exchange under way. */
export type ActiveRow = ExchangeSnapshot &
  Origin & {
    startedAt: number
    /** The status that the client has got; `undefined` if none has been sent yet. */
    status: number | undefined
    /** Whether the provider is asked. If not, it gets an answer that is kept, or that of another exchange. */
    asksProvider: boolean
  }

/** The record of one that has ended. */
export type FinishedRow = ExchangeRecord & Origin

type Gauges = Pick<
  AiProxyStats,
  'active' | 'streams' | 'waitingForTurn' | 'waitingForDrain' | 'exchanges' | 'maxTurnMs'
> & {
  /** Streams whose client has left, and that go on. */
  withoutClient: number
  /** Answers that came from the cache. */
  cacheHits: number
}

/** Watches several middlewares: the exchanges under way, and the last ones that ended. */
export class ExchangeMonitor {
  readonly #proxies = new Map<string, AiProxy>()
  readonly #admitted = new Map<string, { client: string; res: Response | undefined }>()
  readonly #capacity: number
  readonly #closed = new AbortController()
  #finished: FinishedRow[] = []
  #finishedCount = 0
  #cacheHits = 0

  /** @param capacity how many ended exchanges to keep */
  constructor(capacity = 200) {
    this.#capacity = capacity
  }

  /** An observer for a middleware, which notes who asked and what they get. */
  observer(clientOf: (req: ObservedExchange['req']) => string): Observer {
    return {
      onRequest: ({ id, req }) => {
        this.#admitted.set(id, { client: clientOf(req), res: req.res })
        return undefined
      },
    }
  }

  /** Watches a middleware. */
  watch(provider: string, proxy: AiProxy): void {
    this.#proxies.set(provider, proxy)
  }

  /** Adds an exchange that has ended. */
  add(row: FinishedRow): void {
    this.#admitted.delete(row.id)
    this.#finishedCount++
    if (row.cache === 'hit') this.#cacheHits++
    this.#finished.push(row)
    if (this.#finished.length > this.#capacity) this.#finished.shift()
  }

  /** The exchanges under way. */
  get active(): ActiveRow[] {
    const now = Date.now()
    return [...this.#proxies].flatMap(([provider, proxy]) =>
      proxy.exchanges().map((one) => {
        // What does not go to the provider has not been admitted: of it, only the user is known.
        const admitted = this.#admitted.get(one.id)
        const { client = one.subject ?? 'unknown', res } = admitted ?? {}
        const status = res?.headersSent ? res.statusCode : undefined
        const asksProvider = admitted !== undefined
        return { provider, client, status, asksProvider, startedAt: Math.round(now - one.age), ...one }
      }),
    )
  }

  /** How many exchanges have ended so far: where {@link finishedSince} goes on. */
  get finishedCount(): number {
    return this.#finishedCount
  }

  /** The exchanges that ended after the first `count`, oldest first; those that are no longer kept are left out. */
  finishedSince(count: number): FinishedRow[] {
    const newer = this.#finishedCount - count
    return newer > 0 ? this.#finished.slice(-newer) : []
  }

  /** Figures over all middlewares. */
  get gauges(): Gauges {
    const all = [...this.#proxies.values()].map((proxy) => proxy.stats())
    const sum = (name: keyof AiProxyStats & keyof Gauges) => all.reduce((total, stats) => total + stats[name], 0)
    const most = (name: keyof AiProxyStats & keyof Gauges) => Math.max(0, ...all.map((stats) => stats[name]))
    return {
      active: sum('active'),
      streams: sum('streams'),
      waitingForDrain: sum('waitingForDrain'),
      // All middlewares of a process share their turns, so each reports the same number of waiting streams.
      waitingForTurn: most('waitingForTurn'),
      exchanges: sum('exchanges'),
      maxTurnMs: most('maxTurnMs'),
      withoutClient: this.active.filter(({ phase }) => phase === 'draining').length,
      cacheHits: this.#cacheHits,
    }
  }

  /** Ends an exchange. @returns whether it was under way */
  abort(id: string): boolean {
    return [...this.#proxies.values()].some((proxy) => proxy.abort(id))
  }

  /** Aborted by {@link close}. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  /** Stops what measures and asks for the pages' sake. */
  close(): void {
    this.#closed.abort()
  }
}
