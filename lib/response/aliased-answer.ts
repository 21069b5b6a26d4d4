import type { Metering } from '../exchange/metering.js'
import { PassThroughFramer } from '../framing/index.js'
import type { StringReplacer } from '../json/replace-strings.js'

/** Passes a JSON answer with another name of its model, after the provider's name has been read. */
export class AliasedAnswer extends PassThroughFramer {
  readonly #replacer: StringReplacer
  readonly #inner: PassThroughFramer
  readonly #metering: Metering | undefined

  /**
   * @param inner what passes each chunk first: it masks secrets
   * @param metering reads the answer as the provider sent it
   */
  constructor(replacer: StringReplacer, inner: PassThroughFramer, metering: Metering | undefined) {
    super()
    this.#replacer = replacer
    this.#inner = inner
    this.#metering = metering
  }

  override get holdsNothing(): boolean {
    return this.#inner.holdsNothing && this.#replacer.holdsNothing
  }

  override push(chunks: readonly Buffer[]): Buffer | undefined {
    return super.push(this.#replaced(this.#inner.push(chunks)))
  }

  override end(): Buffer | undefined {
    return super.push([...this.#replaced(this.#inner.end()), ...this.#replacer.end()])
  }

  #replaced(bytes: Buffer | undefined): Buffer[] {
    if (!bytes) return []
    this.#metering?.pass(bytes, [], performance.now())
    return this.#replacer.push(bytes)
  }
}
