import type { Readable } from 'node:stream'

/** Learns how the provider's body ends. What arrived before is still in it. */
export class SourceEnd {
  /** It has ended. */
  isReached = false
  /** Why it broke off. */
  error: Error | undefined
  readonly #body: Readable
  readonly #onEnd: () => void
  readonly #onError: () => void

  constructor(body: Readable, onEnd: () => void, onError: () => void) {
    this.#body = body
    this.#onEnd = onEnd
    this.#onError = onError
    body.on('end', this.#ended).on('error', this.#brokeOff).on('close', this.#brokeOff)
  }

  /** It may have broken off while a hook of the app was awaited. */
  checkNow(): void {
    const { destroyed, readableEnded, errored } = this.#body
    if (destroyed && !readableEnded) this.#brokeOff(errored ?? undefined)
  }

  /** Stops all callbacks. An error of the body stays caught. */
  close(): void {
    this.#body.off('end', this.#ended).off('close', this.#brokeOff)
  }

  readonly #ended = (): void => {
    this.isReached = true
    this.#onEnd()
  }

  readonly #brokeOff = (error?: Error): void => {
    this.error ??= error ?? new Error('the response was closed before its end')
    this.#onError()
  }
}
