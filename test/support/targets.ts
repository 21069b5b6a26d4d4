import type { HookedExchange } from '../../lib/api/hooks.js'
import type { Clock } from '../../lib/routing/clock.js'
import type { RoutedRequest } from '../../lib/routing/routed-request.js'
import { type RouterTarget, TargetState } from '../../lib/routing/target-state.js'
import { ManualClock } from './manual-clock.js'

export const target = (name: string, change: Partial<RouterTarget> = {}): RouterTarget => ({
  name,
  weight: 1,
  priority: 0,
  maxConcurrent: Number.POSITIVE_INFINITY,
  ...change,
})

export const state = (name: string, change: Partial<RouterTarget> = {}, clock: Clock = new ManualClock()) =>
  new TargetState(target(name, change), clock)

/** Targets t0, t1, … of these weights. */
export const weighted = (...weights: number[]) => weights.map((weight, at) => state(`t${at}`, { weight }))

export const names = (targets: readonly { readonly name: string }[]) => targets.map(({ name }) => name)

/** What a balance function gets of the exchange that {@link request} belongs to. */
export const exchange = { model: 'm' } as HookedExchange

export const request = (change: Partial<RoutedRequest> = {}): RoutedRequest => ({
  stickyKey: undefined,
  hookView: () => exchange,
  ...change,
})

/** Starts attempts that do not end. */
export function busy(target: TargetState, attempts: number): TargetState {
  for (let at = 0; at < attempts; at++) target.begin()
  return target
}

/** The share that each target has of `picks` first places. */
export function shares(picks: number, pick: (at: number) => { readonly name: string }): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let at = 0; at < picks; at++) {
    const { name } = pick(at)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count / picks]))
}

/** Numbers from 0 to 1 that are the same in each run (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
