import type { PricedUsage } from '../api/prices.js'

/** What an exchange costs. */
interface Cost {
  /** `undefined` if the model has no price. */
  readonly cost: number | undefined
  /** The price stands for an unknown one: it is the one of `unknownPrice`, or of another model. */
  readonly isAssumed: boolean
}

/** The options `prices` and `unknownPrice`, compiled. Never throws. */
export type CostOf = (used: PricedUsage) => Cost
