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

  get signal(): AbortSignal {
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

  /** An exchange that ends without a failure has lost its client. */
  #abort(controller: AbortController): void {
    controller.abort(this.#failure ?? new DOMException('The client has left', 'AbortError'))
  }
}
