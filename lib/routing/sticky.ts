import type { Clock } from './clock.js'
import { RecentMap } from './recent-map.js'
import { rendezvousOrder } from './rendezvous.js'
import type { TargetState } from './target-state.js'

/** A target may be loaded by a quarter more than its share. */
const MAX_LOAD = 1.25

/** Keeps the requests of one key at one target, as long as that can take them, so that its prompt cache is hit. */
export class StickyTargets {
  /** Only keys that had to move are remembered: of all others the hash says where they belong. */
  readonly #moved: RecentMap
  readonly #responses: RecentMap

  /**
   * @param ttlMs how long a key, or a response, is remembered after its last use
   * @param max how many keys are remembered, and how many responses
   */
  constructor(clock: Clock, ttlMs: number, max = 10_000) {
    this.#moved = new RecentMap(clock, ttlMs, max)
    this.#responses = new RecentMap(clock, ttlMs, max)
  }

  /**
   * Orders targets for a key: the one that took the key over, then the others by rendezvous hashing. Targets with more
   * load than their share come last, in the same order.
   *
   * @param candidates those that can serve: neither cooling nor full
   */
  order(key: string, candidates: readonly TargetState[]): TargetState[] {
    const ranked = rendezvousOrder(key, candidates)
    const keeper = this.#moved.get(key)
    const movedTo = ranked.findIndex(({ name }) => name === keeper)
    if (movedTo > 0) ranked.unshift(...ranked.splice(movedTo, 1))
    const isOverloaded = overloadedAmong(candidates)
    return [...ranked.filter((each) => !isOverloaded(each)), ...ranked.filter(isOverloaded)]
  }

  /**
   * Notes which target answered a request of a key.
   *
   * @param isFirstChoice it is where the hash says that the key belongs
   */
  served(key: string, name: string, isFirstChoice: boolean): void {
    this.#moved.set(key, isFirstChoice ? undefined : name)
  }

  /** Remembers which target made a response: a later request may refer to it. */
  rememberResponse(id: string, name: string): void {
    this.#responses.set(id, name)
  }

  /** Returns the name of the target that made a response; `undefined` if it is not known, or not any more. */
  targetOf(id: string): string | undefined {
    return this.#responses.get(id)
  }

  /** Keys that had to move. */
  get movedKeys(): number {
    return this.#moved.size
  }

  /** Responses that are remembered. */
  get responses(): number {
    return this.#responses.size
  }
}

/** Consistent hashing with bounded loads. At least one target is always below its bound. */
function overloadedAmong(candidates: readonly TargetState[]): (target: TargetState) => boolean {
  let total = 1
  let weights = 0
  for (const { inFlight, weight } of candidates) {
    total += inFlight
    weights += weight
  }
  return ({ inFlight, weight }) => inFlight + 1 > Math.ceil((MAX_LOAD * total * weight) / weights)
}
