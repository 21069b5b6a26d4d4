import type { TargetStats } from '../api/attempt-record.js'
import type { HookedExchange } from '../api/hooks.js'
import type { Balance } from '../api/targets.js'
import { shown } from '../util/shown.js'
import { Balancer } from './balancer.js'
import type { Clock } from './clock.js'
import { rendezvousOrder } from './rendezvous.js'
import type { RoutedRequest } from './routed-request.js'
import { StickyTargets } from './sticky.js'
import { type RouterTarget, TargetState } from './target-state.js'

/** How long the target of a response is remembered if `sticky` is off. */
const DEFAULT_TTL_MS = 300_000

export interface RouterOptions {
  readonly balance: Balance
  /** `undefined` if it is off: the `stickyKey` of requests is then ignored. */
  readonly sticky: { readonly ttlMs: number } | undefined
  /** What happens to a request whose targets all cool: the one that cools least long is asked, or none. */
  readonly whenAllCooling: 'try' | 'refuse'
}

/** What the router needs from the process; injected in tests. */
export interface RouterEnvironment extends Clock {
  /** Returns a number from 0 to 1, without 1. */
  random(): number
  /** Called with what is wrong with the result of the app's balance function. */
  report?(error: unknown, exchange: HookedExchange): void
}

/** The targets to ask, in order. */
export interface Route {
  /** At least one. */
  readonly order: readonly TargetState[]
  /** All that can serve the request, in no order. */
  readonly eligible: readonly TargetState[]
  /** Those that the app's balance function left out: they are not asked later either. */
  readonly leftOut: readonly TargetState[]
  /** The key by which the request sticks; `undefined` if it sticks to none. */
  readonly stickyKey: string | undefined
  /** Name of the target where the key belongs, whether it can serve now or not. */
  readonly home: string | undefined
  /** What the request refers to, if it is not known which target has it. */
  readonly unknownReference: string | undefined
}

/** Why no target can be asked. */
export interface NoRoute {
  /**
   * - `cooling`: all cool.
   * - `full`: those that do not cool are full.
   * - `none`: there is no target, or the app's balance function left all of them out.
   */
  readonly refused: 'cooling' | 'full' | 'none'
  /** When the first of those that cool can be asked; `undefined` if none cools. */
  readonly retryAfterMs: number | undefined
}

/** Chooses among the targets of a middleware, and keeps their state. */
export class Router {
  /** By name. */
  readonly states: ReadonlyMap<string, TargetState>
  readonly #balancer: Balancer
  readonly #isSticky: boolean
  readonly #sticky: StickyTargets
  readonly #whenAllCooling: 'try' | 'refuse'

  constructor(targets: readonly RouterTarget[], options: RouterOptions, env: RouterEnvironment) {
    this.states = new Map(targets.map((target) => [target.name, new TargetState(target, env)]))
    this.#balancer = new Balancer(
      options.balance,
      () => env.random(),
      (error, exchange) => env.report?.(error, exchange),
    )
    this.#isSticky = options.sticky !== undefined
    this.#sticky = new StickyTargets(env, options.sticky?.ttlMs ?? DEFAULT_TTL_MS)
    this.#whenAllCooling = options.whenAllCooling
  }

  /**
   * Orders the targets that can serve a request: by priority, then by its key, then by `balance`. Full and cooling ones
   * are left out.
   *
   * @param eligible those that speak its protocol and serve its model
   * @param reference the id of the response or conversation that it refers to. The target that has it comes first even if
   * it cools, since no other may know it. If it is not known which one that is, the id takes the place of a key.
   */
  order(eligible: readonly TargetState[], request: RoutedRequest, reference?: string): Route | NoRoute {
    const stickyKey = this.#isSticky ? request.stickyKey : undefined
    const holder = reference === undefined ? undefined : this.#sticky.targetOf(reference)
    const unknownReference = holder === undefined ? reference : undefined
    // An app's function decides itself where to look.
    const key = stickyKey ?? (this.#balancer.isFilter ? undefined : unknownReference)
    const usable = eligible.filter((each) => each.isUsable)
    const order =
      usable.length > 0
        ? byPriority(usable).flatMap((group) => this.#orderGroup(group, request, key))
        : this.#cooling(eligible)
    const maker = eligible.find((each) => each.name === holder && !each.isFull)
    const withMaker = maker ? [maker, ...order.filter((each) => each !== maker)] : order
    if (withMaker.length === 0) return refusal(eligible, usable)
    const leftOut = this.#balancer.isFilter ? usable.filter((each) => !withMaker.includes(each)) : []
    return { order: withMaker, eligible, leftOut, stickyKey, home: homeOf(stickyKey, eligible), unknownReference }
  }

  /**
   * Returns the targets of a route that can be asked after some have failed. If all that are left cool, they are asked
   * with `whenAllCooling: 'try'` only.
   */
  remaining(route: Route, tried: readonly TargetState[]): readonly TargetState[] {
    const untried = route.order.filter((each) => !tried.includes(each))
    const usable = untried.filter((each) => each.isUsable)
    if (usable.length > 0) return usable
    const { eligible, leftOut } = route
    return this.#cooling(eligible.filter((each) => !tried.includes(each) && !leftOut.includes(each)))
  }

  /** Takes note of the target that answered, so that further requests of the key go there, and those that refer to the same. */
  served({ stickyKey, home, unknownReference }: Route, { name }: TargetState): void {
    if (unknownReference !== undefined) this.#sticky.rememberResponse(unknownReference, name)
    if (stickyKey !== undefined) this.#sticky.served(stickyKey, name, name === home)
  }

  /** Remembers which target made a response or conversation: a later request may refer to it. */
  rememberResponse(id: string, { name }: TargetState): void {
    this.#sticky.rememberResponse(id, name)
  }

  /**
   * Lets a target cool for `ms` milliseconds, unless it already does for longer.
   *
   * @throws TypeError if there is no such target, or `ms` is no number; RangeError if it is not above 0, or not finite
   */
  cool(name: string, ms: number): void {
    const state = this.#stateOf('cool', name)
    const takes = 'ai.cool() takes a time in milliseconds, finite and above 0'
    if (typeof ms !== 'number') throw new TypeError(`${takes}; got ${shown(ms)}`)
    if (!(ms > 0 && ms < Infinity)) throw new RangeError(`${takes}; got ${ms}`)
    state.cooling.cool(ms, 'operator')
  }

  /**
   * Ends the cooling of a target, whatever began it.
   *
   * @throws TypeError if there is no such target
   */
  warm(name: string): void {
    this.#stateOf('warm', name).cooling.warm()
  }

  /** @param nowEpoch milliseconds since the epoch */
  stats(nowEpoch: number): TargetStats[] {
    return [...this.states.values()].map((each) => each.stats(nowEpoch))
  }

  #orderGroup(group: readonly TargetState[], request: RoutedRequest, stickyKey: string | undefined): TargetState[] {
    // An app's function is asked in any case: what it leaves out is not to be asked.
    if (stickyKey === undefined) return this.#balancer.order(group, request)
    const kept = this.#balancer.isFilter ? this.#balancer.order(group, request) : group
    return this.#sticky.order(stickyKey, kept)
  }

  /** Those that cool and are not full, the one that cools least long first; none if they are not to be asked. */
  #cooling(targets: readonly TargetState[]): TargetState[] {
    if (this.#whenAllCooling === 'refuse') return []
    return targets.filter((each) => !each.isFull).sort((a, b) => a.cooling.remainingMs - b.cooling.remainingMs)
  }

  #stateOf(method: string, name: string): TargetState {
    const state = this.states.get(name)
    if (state) return state
    const names = [...this.states.keys()].join(', ')
    throw new TypeError(`ai.${method}() takes the name of a target (${names}); got ${shown(name)}`)
  }
}

/** Splits targets by priority, the lowest number first. */
function byPriority(targets: readonly TargetState[]): (readonly TargetState[])[] {
  const priority = targets[0]?.priority
  if (targets.every((target) => target.priority === priority)) return [targets]
  const groups = new Map<number, TargetState[]>()
  for (const target of targets) {
    const group = groups.get(target.priority)
    if (group) group.push(target)
    else groups.set(target.priority, [target])
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group)
}

/** The target that the key would have if all could serve. */
function homeOf(key: string | undefined, eligible: readonly TargetState[]): string | undefined {
  return key === undefined ? undefined : rendezvousOrder(key, byPriority(eligible)[0]!)[0]?.name
}

function refusal(eligible: readonly TargetState[], usable: readonly TargetState[]): NoRoute {
  const times = eligible.filter(({ cooling }) => cooling.isCooling).map(({ cooling }) => cooling.remainingMs)
  const retryAfterMs = times.length > 0 ? Math.min(...times) : undefined
  if (eligible.length === 0 || usable.length > 0) return { refused: 'none', retryAfterMs: undefined }
  return { refused: eligible.every(({ cooling }) => cooling.isCooling) ? 'cooling' : 'full', retryAfterMs }
}
