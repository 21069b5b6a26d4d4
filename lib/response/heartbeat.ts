import type { Deadlines } from '../exchange/deadlines.js'
import type { DownstreamEvents } from './downstream-events.js'

const NAME = 'heartbeat'

/** Sends something whenever nothing was sent for a while. */
export class Heartbeat {
  readonly #deadlines: Deadlines
  readonly #send: () => void
  readonly #events: Pick<DownstreamEvents, 'onCrash'>

  constructor(deadlines: Deadlines, send: () => void, events: Pick<DownstreamEvents, 'onCrash'>) {
    this.#deadlines = deadlines
    this.#send = send
    this.#events = events
  }

  /** @param everyMs milliseconds of silence; `Infinity` means never */
  start(everyMs: number): void {
    this.#deadlines.start(NAME, everyMs, () => {
      try {
        this.#send()
      } catch (error) {
        return this.#events.onCrash(error)
      }
      this.start(everyMs)
    })
  }

  /** Something else was sent. */
  touch(now?: number): void {
    this.#deadlines.touch(NAME, now)
  }

  stop(): void {
    this.#deadlines.stop(NAME)
  }
}
