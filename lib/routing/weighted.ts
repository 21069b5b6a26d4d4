import type { TargetState } from './target-state.js'

/** Bound of the sets of targets whose turns are kept. Ten targets, each of which may cool, make 1,023. */
const MAX_SETS = 1024

/** Smooth weighted round robin, the algorithm of nginx: 5:1:1 gives A A B A C A A, not A A A A A B C. */
export class WeightedBalancer {
  /**
   * The credit of each target, for each set of them that was balanced: with one for all sets, requests that only some
   * targets can serve would shift the shares of the others.
   */
  readonly #sets = new Map<string, Map<string, number>>()

  /** Sets of targets whose turns are kept. */
  get sets(): number {
    return this.#sets.size
  }

  /** Picks a target; the others follow in the order in which they would be picked next. */
  order(candidates: readonly TargetState[]): TargetState[] {
    if (candidates.length < 2) return [...candidates]
    const credits = this.#creditsOf(candidates)
    for (const { name, weight } of candidates) credits.set(name, credits.get(name)! + weight)
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
    const credit = ({ name }: TargetState) => credits.get(name)!
    const first = best(candidates, credit)
    credits.set(first.name, credit(first) - total)

    const order = [first]
    const rest = candidates.filter((each) => each !== first)
    for (let round = 1; rest.length > 0; round++) {
      const next = best(rest, (each) => credit(each) + round * each.weight)
      rest.splice(rest.indexOf(next), 1)
      order.push(next)
    }
    return order
  }

  #creditsOf(candidates: readonly TargetState[]): Map<string, number> {
    const key = candidates.map(({ name }) => name).join('\n')
    let credits = this.#sets.get(key)
    if (!credits) {
      // What is lost is who comes next; the shares stay.
      if (this.#sets.size >= MAX_SETS) this.#sets.clear()
      credits = new Map(candidates.map(({ name }) => [name, 0]))
      this.#sets.set(key, credits)
    }
    return credits
  }
}

/** The first of those with the highest value. */
function best(targets: readonly TargetState[], value: (target: TargetState) => number): TargetState {
  return targets.reduce((most, each) => (value(each) > value(most) ? each : most))
}
