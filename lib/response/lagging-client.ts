import type { Exchange } from '../exchange/exchange.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { ReplayStream } from './replay-stream.js'

/** The client's own answer, which others read as well. */
interface Lagging {
  readonly exchange: Exchange
  readonly context: ResponseContext
  readonly downstream: Downstream
  /** The client gets again what arrives. */
  onCaughtUp(): void
  /** What it has missed is not kept any more. */
  onLost(): void
}

/**
 * A client that reads more slowly than others who read the same answer. They do not wait for it: it gets what it has
 * missed from the journal, and what arrives once it has caught up.
 */
export class LaggingClient {
  readonly #stream: ReplayStream
  readonly #lagging: Lagging

  constructor(lagging: Lagging) {
    this.#lagging = lagging
    const { exchange, context, downstream } = lagging
    const { source, manner } = exchange.recorder!.kept!
    downstream.isLagging = true
    this.#stream = new ReplayStream(exchange, context, { ...source, mayBeMissingMs: 0 }, downstream, {
      onHead: () => ({ ...manner, pacing: undefined }),
      onEvents: () => {},
      onCaughtUp: (number) => this.#onCaughtUp(number),
      onEnd: () => this.#onEnd(),
      onFailure: () => lagging.onLost(),
      onStop: () => {},
    })
    // Its own count is the one of all events that have passed.
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  pause(): void {
    this.#stream.pause()
  }

  stop(): void {
    this.#lagging.downstream.isLagging = false
    this.#stream.stop()
  }

  #onCaughtUp(number: number): void {
    if (number < (this.#lagging.exchange.recorder?.kept?.source.after ?? 0)) return
    this.stop()
    this.#lagging.onCaughtUp()
  }

  #onEnd(): void {
    const { downstream } = this.#lagging
    downstream.isLagging = false
    if (downstream.endsLater) downstream.end()
    else this.#lagging.onCaughtUp()
  }
}
