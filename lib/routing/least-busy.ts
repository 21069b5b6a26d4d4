import type { TargetState } from './target-state.js'

/**
 * Sorts targets by their exchanges under way in relation to their weight.
 *
 * @param candidates in the order for those that are equally busy: idle ones, say
 */
export function leastBusyOrder(candidates: readonly TargetState[]): TargetState[] {
  return [...candidates].sort((a, b) => a.inFlight / a.weight - b.inFlight / b.weight)
}
