import type { ServerResponse } from 'node:http'
import type { Deadlines } from '../exchange/deadlines.js'
import type { DownstreamEvents } from './downstream-events.js'
import { needsDrain } from './needs-drain.js'

/** Notices whether the client keeps up, and limits how long it may take to read. */
export class DrainWatch {
  /** The client does not keep up: nothing may be written until `onDrain`. */
  isBlocked = false
  readonly #res: ServerResponse
  readonly #deadlines: Deadlines
  readonly #drainTimeoutMs: () => number
  readonly #events: DownstreamEvents
  #listens = false
  /** The last bytes have been written. */
  #isLast = false
  #isStopped = false

  /** @param drainTimeoutMs called when needed: a request's own limits are not known from its start */
  constructor(res: ServerResponse, deadlines: Deadlines, drainTimeoutMs: () => number, events: DownstreamEvents) {
    this.#res = res
    this.#deadlines = deadlines
    this.#drainTimeoutMs = drainTimeoutMs
    this.#events = events
  }

  /** The client does not keep up. */
  block(): void {
    if (this.isBlocked) return
    this.isBlocked = true
    this.awaitReader()
    this.#events.onBackpressure()
  }

  /**
   * Returns whether a `drain` will follow. A middleware that wraps `write()` may return anything, usually nothing, so
   * the response itself is asked; but compression() buffers, and drains, in a stream of its own.
   *
   * @param keepsUp what `write()` has returned
   */
  mustDrain(keepsUp: unknown): boolean {
    // Use a permanent listener: with compression(), a listener added by `once` would stay on the compressor.
    if (!this.#listens) this.#res.on('drain', this.onDrain)
    this.#listens = true
    if (needsDrain(this.#res)) return true
    return keepsUp === false && !this.#res.listeners('drain').includes(this.onDrain)
  }

  /** The client must read what has been written in time. @param isLast nothing follows */
  awaitReader(isLast = false): void {
    if (isLast) this.#isLast = true
    // In a pipeline, the client can read nothing of this response until the one before it has ended.
    if (!this.#res.socket) {
      this.#res.once('socket', this.#onSocket)
      return
    }
    this.#deadlines.start('drain', this.#drainTimeoutMs(), () => this.#events.onDrainTimeout())
  }

  /** The client has left. */
  stop(): void {
    this.#isStopped = true
    this.isBlocked = false
    if (this.#listens) this.#res.off('drain', this.onDrain)
    this.#deadlines.stop('drain')
  }

  readonly onDrain = (): void => {
    if (this.#isStopped || !this.isBlocked) return
    this.isBlocked = false
    if (!this.#isLast) this.#deadlines.stop('drain')
    this.#events.onDrain()
  }

  readonly #onSocket = (): void => {
    if (!this.#isStopped && (this.isBlocked || this.#isLast)) this.awaitReader()
  }
}
