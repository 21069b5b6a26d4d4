import type { TargetState } from './target-state.js'

/** Share of requests that go to one of the other targets: a slow one may have become fast. */
const PROBES = 0.02

/**
 * Sorts targets by their average time to first token, those without a sample first. A few requests probe another target
 * than the fastest.
 *
 * @param candidates in the order for those that are equally fast, or without a sample
 * @param random returns a number from 0 to 1, without 1
 */
export function fastestOrder(candidates: readonly TargetState[], random: () => number): TargetState[] {
  const order = [...candidates].sort((a, b) => (a.firstTokenMs ?? -1) - (b.firstTokenMs ?? -1))
  // A target without a sample needs no probe: it comes first.
  if (order.length < 2 || order[0]!.firstTokenMs === undefined || random() >= PROBES) return order
  const [probed] = order.splice(1 + Math.floor(random() * (order.length - 1)), 1)
  return [probed!, ...order]
}
