import type { Carriage, DecideCarriage } from './carriage.js'

const NONE = Buffer.alloc(0)

/** Keeps the first bytes of a body until they show what it is. */
export class BodyStart {
  readonly #decide: DecideCarriage
  #start = NONE

  constructor(decide: DecideCarriage) {
    this.#decide = decide
  }

  /**
   * @param isAll nothing follows
   * @returns all of them, and how the body passes; `undefined` if they do not show it yet
   */
  add(chunks: readonly Buffer[], isAll: boolean): { readonly carriage: Carriage; readonly start: Buffer } | undefined {
    const start = Buffer.concat([this.#start, ...chunks])
    const carriage = this.#decide(start, isAll)
    this.#start = carriage ? NONE : start
    return carriage && { carriage, start }
  }
}
