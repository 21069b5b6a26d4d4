import type { AiProxyError, Outcome } from '../api/errors.js'

/** Outcomes of exchanges whose answer was sent completely. */
const WHOLE: readonly Outcome[] = ['completed', 'provider_error']

/**
 * Signals to the app that an exchange has ended before its answer was sent completely. Creates nothing unless the app
 * asks.
 */
export class EndingSignal {
  #controller: AbortController | undefined
  #hasEnded = false
  #failure: AiProxyError | undefined

  /** Signals that the client has left, while the app is asked how to answer the failure. */
  #client: AbortController | undefined

  get signal(): AbortSignal {
    if (this.#client) return this.#client.signal
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#hasEnded) this.#abort(this.#controller)
    }
    return this.#controller.signal
  }

  /** Records how the exchange ends. */
  settle(outcome: Outcome, failure: AiProxyError | undefined): void {
    if (WHOLE.includes(outcome)) return
    this.#hasEnded = true
    this.#failure = failure
    if (this.#controller) this.#abort(this.#controller)
  }

  /**
   * Until the returned function is called, `signal` aborts only if the client leaves: the exchange has failed, but the
   * app still prepares its answer.
   *
   * @param onGone calls back once if the client leaves, and returns a function that stops watching
   */
  untilAnswered(onGone: (callback: () => void) => () => void): () => void {
    const client = new AbortController()
    this.#client = client
    const stop = onGone(() => client.abort(clientLeft()))
    return () => {
      stop()
      if (this.#client === client) this.#client = undefined
    }
  }

  /** An exchange that ends without a failure has lost its client. */
  #abort(controller: AbortController): void {
    controller.abort(this.#failure ?? clientLeft())
  }
}

function clientLeft(): DOMException {
  return new DOMException('The client has left', 'AbortError')
}
