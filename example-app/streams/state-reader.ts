import { randomUUID } from 'node:crypto'
import type { LoopSample } from './event-loop-delay.js'
import type { ActiveRow, ExchangeMonitor, FinishedRow } from './exchange-monitor.js'
import type { HealthSample } from './health-latency.js'

/** What a page shows, or what has been added to it. */
interface State {
  /** Whether this is all that is known; if not, it is what is new. */
  isFirst: boolean
  /** What to ask for next. */
  next: string
  /** When it was read, in milliseconds since the epoch. */
  at: number
  gauges: ExchangeMonitor['gauges']
  active: ActiveRow[]
  finished: FinishedRow[]
  loop: LoopSample[]
  health: HealthSample[]
}

interface Measured {
  loop: { readonly history: readonly LoopSample[] }
  health: { readonly history: readonly HealthSample[] }
}

/** Reads states for pages, each from where the page's last state ended. It keeps nothing for a page. */
export class StateReader {
  /** The counts of an earlier run of the app mean nothing in this one. */
  readonly #run = randomUUID()
  readonly #monitor: ExchangeMonitor
  readonly #measured: Measured

  constructor(monitor: ExchangeMonitor, measured: Measured) {
    this.#monitor = monitor
    this.#measured = measured
  }

  /** @param previous `next` of the page's last state. Anything else gets all that is known. */
  since(previous: string): State {
    const [run, ...rest] = previous.split(' ')
    const isFirst = run !== this.#run
    const [finishedUntil = 0, samplesUntil = 0] = isFirst ? [] : rest.map(Number)

    const isNew = ({ at }: { at: number }) => at > samplesUntil
    const loop = this.#measured.loop.history.filter(isNew)
    const health = this.#measured.health.history.filter(isNew)
    const lastSample = Math.max(samplesUntil, ...[...loop, ...health].map(({ at }) => at))
    return {
      isFirst,
      next: `${this.#run} ${this.#monitor.finishedCount} ${lastSample}`,
      at: Date.now(),
      gauges: this.#monitor.gauges,
      active: this.#monitor.active,
      finished: this.#monitor.finishedSince(finishedUntil),
      loop,
      health,
    }
  }
}
