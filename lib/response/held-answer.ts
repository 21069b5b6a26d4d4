import type { Metering } from '../exchange/metering.js'
import { PassThroughFramer } from '../framing/index.js'
import { PendingBytes } from '../framing/pending-bytes.js'

/** Holds a JSON answer until it is whole, because the app is to see it before any of it goes out. */
export class HeldAnswer extends PassThroughFramer {
  override tooLarge = false
  readonly #maxBytes: number
  readonly #inner: PassThroughFramer
  readonly #metering: Metering | undefined
  readonly #pending = new PendingBytes()

  /**
   * @param maxBytes the longest answer that is held
   * @param inner what passes each chunk first: it masks secrets
   * @param metering reads the answer as it comes, so that a long one is not read at once
   */
  constructor(maxBytes: number, inner: PassThroughFramer, metering: Metering | undefined) {
    super()
    this.#maxBytes = maxBytes
    this.#inner = inner
    this.#metering = metering
  }

  override get holdsNothing(): boolean {
    return false
  }

  override push(chunks: readonly Buffer[]): undefined {
    this.#hold(this.#inner.push(chunks))
  }

  override end(): undefined {
    this.#hold(this.#inner.end())
  }

  /** Returns all of the answer after its end, and releases it. */
  drain(): Buffer {
    return Buffer.concat(this.#pending.drain())
  }

  #hold(bytes: Buffer | undefined): void {
    if (!bytes || this.tooLarge) return
    this.#metering?.pass(bytes, [], performance.now())
    this.#pending.append(bytes)
    if (this.#pending.bytes <= this.#maxBytes) return
    this.tooLarge = true
    this.#pending.drain()
  }
}
