import type { AiProxyError, Outcome } from '../api/errors.js'

/** Outcomes of exchanges whose answer went out whole. */
const WHOLE: readonly Outcome[] = ['completed', 'provider_error']

/** Tells the app that an exchange has ended before its answer went out whole. Nothing is created unless the app asks. */
export class EndingSignal {
  #controller: AbortController | undefined
  #reason: Error | undefined

  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    this.#controller = new AbortController()
    if (this.#reason) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  /** The exchange ends like this. */
  settle(outcome: Outcome, failure: AiProxyError | undefined): void {
    if (WHOLE.includes(outcome)) return
    this.#reason = failure ?? new DOMException('The client has left', 'AbortError')
    this.#controller?.abort(this.#reason)
  }
}
