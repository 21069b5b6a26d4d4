import type { Exchange } from '../exchange/exchange.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { LaggingClient } from './lagging-client.js'
import type { Replays } from './replays.js'
import type { ResponseStream } from './response-stream.js'

/** What the client reads. */
interface ReadAnswer {
  /** The provider's answer, if it has begun. */
  readonly stream: ResponseStream | undefined
  /** Kept answers that go out in its place. */
  readonly replays: Replays | undefined
}

/**
 * What happens when the client does not keep up: its answer waits for it, unless others read the same answer. These go
 * on, and the client gets what it has missed from the journal.
 */
export class ClientPace {
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #answer: ReadAnswer
  #lag: LaggingClient | undefined

  constructor(exchange: Exchange, context: ResponseContext, downstream: Downstream, answer: ReadAnswer) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = downstream
    this.#answer = answer
  }

  /** While it catches up, the client itself is one of the readers. */
  get isReadByOthers(): boolean {
    const { recorder } = this.#exchange
    if (!this.#answer.stream || !recorder?.kept) return false
    return recorder.readers > (this.#downstream.isLagging ? 1 : 0)
  }

  /**
   * Whether the answer goes on if the client's connection is closed. One that was lost without a word looks like a client that
   * does not read, and the client may come back.
   */
  get canLoseClient(): boolean {
    return this.isReadByOthers || this.#exchange.recorder?.mayReturn === true
  }

  onBackpressure(): void {
    if (this.#lag) return this.#lag.pause()
    if (this.isReadByOthers) return this.#letOthersGoOn()
    this.#answer.stream?.pause()
    this.#answer.replays?.current?.pause()
  }

  onDrain(): void {
    if (this.#lag) return this.#lag.resume()
    this.#answer.stream?.resume('streaming')
    this.#answer.replays?.current?.resume()
  }

  /** Others have begun, or ceased, to read the answer. */
  onReaders(): void {
    const { isLagging, isBlocked, isGone } = this.#downstream
    const { stream } = this.#answer
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
    this.#lag = new LaggingClient({
      exchange: this.#exchange,
      context: this.#context,
      downstream: this.#downstream,
      // What it has missed is not kept any more. The others go on.
      onLost: () => this.#downstream.disconnect(),
      onCaughtUp: () => {
        this.#lag = undefined
        this.#answer.stream?.resume('streaming')
      },
    })
  }
}
