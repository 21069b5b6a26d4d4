import type { Policy } from '../api/policy.js'
import type { PolicyFigures } from '../api/stats.js'
import { ignoreRejection } from '../util/promises.js'

const policies = new WeakMap<PolicyFigures, Policy>()

/** Returns the figures of a policy; `undefined` if it has none. Throws what the policy throws. */
export function figuresOf(policy: Policy): PolicyFigures | undefined {
  const figures = policy.figures?.()
  if (!figures) return undefined
  if (ignoreRejection(figures))
    throw new TypeError(`The policy ${policy.name} returns its figures at once, not a promise`)
  const named = { name: policy.name, figures }
  policies.set(named, policy)
  return named
}

/**
 * Returns figures under names that differ: middlewares may share a policy, and several policies have one name. The second of a
 * name is then `quota 2`.
 */
export function distinctFigures(all: readonly PolicyFigures[]): ReadonlyMap<string, PolicyFigures['figures']> {
  const seen = new Set<unknown>()
  const counts = new Map<string, number>()
  const distinct = new Map<string, PolicyFigures['figures']>()
  for (const each of all) {
    const policy = policies.get(each) ?? each
    if (seen.has(policy)) continue
    seen.add(policy)
    const count = (counts.get(each.name) ?? 0) + 1
    counts.set(each.name, count)
    distinct.set(count === 1 ? each.name : `${each.name} ${count}`, each.figures)
  }
  return distinct
}
