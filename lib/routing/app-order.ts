import type { BalanceFunction } from '../api/targets.js'
import { ignoreRejection } from '../util/promises.js'
import { shown } from '../util/shown.js'
import type { RoutedRequest } from './routed-request.js'
import type { TargetState } from './target-state.js'

/**
 * Asks the app's balance function.
 *
 * @returns the targets that it names, in its order
 * @throws what the function throws; TypeError if its answer is no list of candidates
 */
export function appOrder(
  balance: BalanceFunction,
  candidates: readonly TargetState[],
  request: RoutedRequest,
): TargetState[] {
  const snapshots = candidates.map((each) => each.candidate())
  const answer: unknown = balance(snapshots, request.hookView(), request.stickyKey)
  if (ignoreRejection(answer)) throw invalid('a promise')
  if (!Array.isArray(answer)) throw invalid(shown(answer))
  const order: TargetState[] = []
  for (const each of answer as unknown[]) {
    const name = typeof each === 'object' && each !== null ? (each as { name?: unknown }).name : each
    const target = candidates.find((candidate) => candidate.name === name)
    if (!target) throw invalid(`${shown(name)}, which is none of them`)
    if (order.includes(target)) throw invalid(`${shown(name)} twice`)
    order.push(target)
  }
  return order
}

function invalid(got: string): TypeError {
  return new TypeError(`aiProxy: balance returns a list of candidates, or of their names; got ${got}`)
}
