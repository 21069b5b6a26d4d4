import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { hasArrived } from '../request/arriving-body.js'
import { debug } from '../util/debug.js'
import type { ClientPace } from './client-pace.js'
import type { ResponseContext } from './context.js'
import { hasBeenSent, onDisconnect } from './disconnect.js'
import type { Downstream } from './downstream.js'
import { settleReportedError } from './reported-error.js'
import type { ResponseOpener } from './response-opener.js'
import type { ResponseStream } from './response-stream.js'

/** What the end of the client's side depends on, and what it leads to. */
interface Answering {
  /** The current attempt, if the provider has been asked. */
  readonly upstream: { readonly isUnderWay: boolean } | undefined
  /** The provider's answer, if it has begun. */
  readonly stream: ResponseStream | undefined
  readonly pace: ClientPace
  /** Ends the exchange with a failure. */
  fail(failure: AiProxyError): void
  /** Ends the exchange, whose outcome is settled. */
  finish(): void
  onCrash(error: unknown): void
}

/** Notices that the client's side of an exchange has ended, and decides what that means for the exchange. */
export class DisconnectHandler {
  /** Stops watching the client. */
  readonly stopWatching: () => void
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #downstream: Downstream
  readonly #opener: ResponseOpener
  readonly #answering: Answering
  #isSettled = false
  /** When the client left, it had received the end of the answer. */
  #hasReceivedAll = false

  constructor(
    exchange: Exchange,
    context: ResponseContext,
    downstream: Downstream,
    opener: ResponseOpener,
    answering: Answering,
  ) {
    this.#exchange = exchange
    this.#context = context
    this.#downstream = downstream
    this.#opener = opener
    this.#answering = answering
    this.stopWatching = onDisconnect(exchange.client, (wasSent) => this.#onDisconnect(wasSent))
  }

  /**
   * The client's side has ended. Many clients may leave at the same moment, so the rest of the work is done in turns.
   */
  #onDisconnect(wasSent: boolean): void {
    if (wasSent) return this.settle(true)
    this.#closeDownstream()
    if (!this.#goesOn) this.#answering.stream?.stop()
    const runTurn = () => {
      try {
        this.settle()
      } catch (error) {
        this.#answering.onCrash(error)
      }
    }
    const { asyncContext } = this.#exchange
    this.#context.turns.runOrEnqueue({ runTurn, onTurnEnd: () => {}, asyncContext })
  }

  #closeDownstream(): void {
    if (this.#downstream.isGone) return
    const hasReadEnd = this.#answering.stream?.limits.isTerminated === true || this.#downstream.isLingering
    this.#hasReceivedAll = hasReadEnd && !this.#downstream.isBlocked
    this.#downstream.close()
    this.#answering.pace.stop()
  }

  /** Determines whether the client has received everything, or has left. */
  settle(wasSent = hasBeenSent(this.#exchange.client)): void {
    const exchange = this.#exchange
    const { client, phase } = exchange
    if (this.#isSettled) return
    this.#isSettled = true
    this.#closeDownstream()
    // Many clients leave as soon as they have read the provider's last message or error.
    if (this.#opener.framing !== undefined) exchange.readLastFrames()
    settleReportedError(exchange)
    if (wasSent) {
      if (this.#downstream.isEnded) exchange.settleComplete()
      else exchange.settle('rejected', new AiProxyError('internal_error', 'The app ended the response itself'))
      return this.#answering.finish()
    }
    if (this.#hasReceivedAll) {
      exchange.settleComplete()
      return this.#answering.finish()
    }
    const hasLeft = exchange.settle('client_disconnect')
    if (hasLeft) debug.stream('%s the client left while %s', exchange.id, phase)
    const isAsking = this.#answering.upstream !== undefined && hasArrived(client.req) && phase !== 'ending'
    if (!(hasLeft && isAsking && this.#goesOn)) return this.#answering.finish()
    this.#answering.stream?.resume('draining')
    exchange.enter('draining')
    if (!this.#drains) exchange.recorder?.startGrace(() => this.#abandon())
  }

  #abandon(): void {
    this.#answering.fail(new AiProxyError('aborted', 'Nobody reads this answer any more'))
  }

  get #drains(): boolean {
    return this.#context.config.onClientDisconnect === 'drain'
  }

  /**
   * Whether the provider's answer is still read after the client has left. No new request is sent unless others read the
   * answer.
   */
  get #goesOn(): boolean {
    const drains = this.#drains && this.#answering.upstream?.isUnderWay === true
    return drains || this.#exchange.recorder?.goesOn === true
  }
}
