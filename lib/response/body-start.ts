import type { BodyPlan, DecideBodyPlan } from './body-plan.js'

const NONE = Buffer.alloc(0)

/** Keeps the first bytes of a body until they show what it is. */
export class BodyStart {
  readonly #decide: DecideBodyPlan
  #start = NONE

  constructor(decide: DecideBodyPlan) {
    this.#decide = decide
  }

  /**
   * @param isAll nothing follows
   * @returns all of them, and how the body passes; `undefined` if they do not show it yet
   */
  add(chunks: readonly Buffer[], isAll: boolean): { readonly bodyPlan: BodyPlan; readonly start: Buffer } | undefined {
    const start = Buffer.concat([this.#start, ...chunks])
    const bodyPlan = this.#decide(start, isAll)
    this.#start = bodyPlan ? NONE : start
    return bodyPlan && { bodyPlan, start }
  }
}
