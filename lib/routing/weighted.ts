import type { TargetState } from './target-state.js'

/** Bound of the sets of targets whose turns are kept. Ten targets, each of which may cool, make 1,023. */
const MAX_SETS = 1024

/** Smooth weighted round robin, the algorithm of nginx: 5:1:1 gives A A B A C A A, not A A A A A B C. */
export class WeightedBalancer {
  /**
   * The credit of each target, for each set of them that was balanced: with one for all sets, requests that only some
   * targets can serve would shift the shares of the others.
   */
  readonly #sets = new Map<string, number[]>()

  /** Sets of targets whose turns are kept. */
  get sets(): number {
    return this.#sets.size
  }

  /** Picks a target; the others follow in the order in which they would be picked next. */
  order(candidates: readonly TargetState[]): TargetState[] {
    if (candidates.length < 2) return [...candidates]
    const credits = this.#creditsOf(candidates)
    let total = 0
    for (let at = 0; at < candidates.length; at++) {
      const { weight } = candidates[at]!
      total += weight
      credits[at]! += weight
    }
    const first = best(candidates, credits, 0, [])
    credits[first]! -= total
    const order = [candidates[first]!]
    while (order.length < candidates.length) order.push(candidates[best(candidates, credits, order.length, order)]!)
    return order
  }

  /** The credits of the candidates, at their indexes. */
  #creditsOf(candidates: readonly TargetState[]): number[] {
    let key = ''
    for (const { name } of candidates) key += `${name}\n`
    let credits = this.#sets.get(key)
    if (!credits) {
      // Only the order of the next requests is lost; the shares stay.
      if (this.#sets.size >= MAX_SETS) this.#sets.clear()
      credits = candidates.map(() => 0)
      this.#sets.set(key, credits)
    }
    return credits
  }
}

/**
 * Returns the index of the first of those with the highest credit. Every request does this: nothing is allocated.
 *
 * @param rounds how often their weights are added to their credits first
 * @param taken those that do not count any more
 */
function best(
  targets: readonly TargetState[],
  credits: readonly number[],
  rounds: number,
  taken: readonly TargetState[],
): number {
  let found = -1
  let most = Number.NEGATIVE_INFINITY
  for (let at = 0; at < targets.length; at++) {
    const target = targets[at]!
    const credit = credits[at]! + rounds * target.weight
    if (credit <= most || taken.includes(target)) continue
    found = at
    most = credit
  }
  return found
}
