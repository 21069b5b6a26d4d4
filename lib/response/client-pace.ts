import type { Exchange } from '../exchange/exchange.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { LaggingClient } from './lagging-client.js'
import type { Replay } from './replay.js'
import type { ResponseStream } from './response-stream.js'

/** The client, and what it reads. */
interface Paced {
  readonly exchange: Exchange
  readonly context: ResponseContext
  readonly downstream: Downstream
  /** The provider's answer, if it has begun. */
  stream(): ResponseStream | undefined
  /** A kept answer that goes out in its place. */
  replay(): Replay | undefined
}

/**
 * What happens when the client does not keep up: its answer waits for it, unless others read the same answer. These go
 * on, and the client gets what it has missed from the journal.
 */
export class ClientPace {
  readonly #paced: Paced
  #lag: LaggingClient | undefined

  constructor(paced: Paced) {
    this.#paced = paced
  }

  /** While it catches up, the client itself is one of the readers. */
  get isReadByOthers(): boolean {
    const { exchange, downstream, stream } = this.#paced
    const { recorder } = exchange
    return stream() !== undefined && recorder?.kept !== undefined && recorder.readers > (downstream.isLagging ? 1 : 0)
  }

  onBackpressure(): void {
    if (this.#lag) return this.#lag.pause()
    if (this.isReadByOthers) return this.#letOthersGoOn()
    this.#paced.stream()?.pause()
    this.#paced.replay()?.pause()
  }

  onDrain(): void {
    if (this.#lag) return this.#lag.resume()
    this.#paced.stream()?.resume('streaming')
    this.#paced.replay()?.resume()
  }

  /** Others have begun, or ceased, to read the answer. */
  onReaders(): void {
    const { isLagging, isBlocked, isGone } = this.#paced.downstream
    const stream = this.#paced.stream()
    if (!stream || isGone) return
    if (!isLagging && isBlocked && this.isReadByOthers) {
      this.#letOthersGoOn()
      stream.resume('streaming')
    } else if (isLagging && this.isReadByOthers) {
      stream.resume('streaming')
    } else if (isLagging) {
      stream.pause()
    }
  }

  /** The client gets nothing more. */
  stop(): void {
    this.#lag?.stop()
  }

  #letOthersGoOn(): void {
    const { exchange, context, downstream } = this.#paced
    this.#lag = new LaggingClient({
      exchange,
      context,
      downstream,
      // What it has missed is not kept any more. The others go on.
      onLost: () => downstream.disconnect(),
      onCaughtUp: () => {
        this.#lag = undefined
        this.#paced.stream()?.resume('streaming')
      },
    })
  }
}
