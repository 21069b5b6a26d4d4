import type { HookedExchange } from '../api/hooks.js'
import type { Balance } from '../api/targets.js'
import { appOrder } from './app-order.js'
import { fastestOrder } from './fastest.js'
import { leastBusyOrder } from './least-busy.js'
import type { RoutedRequest } from './routed-request.js'
import type { TargetState } from './target-state.js'
import { WeightedBalancer } from './weighted.js'

/** Orders the targets of one priority, as the option `balance` says. */
export class Balancer {
  readonly #balance: Balance
  readonly #random: () => number
  readonly #report: (error: unknown, exchange: HookedExchange) => void
  readonly #weighted = new WeightedBalancer()

  /** @param report called with what is wrong with the result of the app's function; the weighted order is then used */
  constructor(balance: Balance, random: () => number, report: (error: unknown, exchange: HookedExchange) => void) {
    this.#balance = balance
    this.#random = random
    this.#report = report
  }

  /** Whether it may leave candidates out. */
  get isFilter(): boolean {
    return typeof this.#balance === 'function'
  }

  /** @param candidates those of one priority that can serve */
  order(candidates: readonly TargetState[], request: RoutedRequest): TargetState[] {
    const balance = this.#balance
    if (typeof balance === 'function') {
      try {
        return appOrder(balance, candidates, request)
      } catch (error) {
        this.#report(error, request.hookView())
        return this.#weighted.order(candidates)
      }
    }
    // The others sort what the weights have put in order, so that equals take turns.
    const byWeight = this.#weighted.order(candidates)
    if (balance === 'weighted') return byWeight
    return balance === 'least-busy' ? leastBusyOrder(byWeight) : fastestOrder(leastBusyOrder(byWeight), this.#random)
  }
}
