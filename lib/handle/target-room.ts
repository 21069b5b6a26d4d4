import type { Capacity } from '../policies/capacity.js'
import type { TargetState } from '../routing/target-state.js'
import { MAX_TIMER_MS } from '../util/max-timer.js'

/** An exchange, as far as room for it is concerned. */
interface Claimant {
  readonly isSettled: boolean
}

/** The room that targets have: which exchanges hold a place that they have not taken yet, and who waits for one. */
export class TargetRoom {
  readonly #refusesCooling: boolean
  readonly #held = new Map<Claimant, readonly TargetState[]>()
  readonly #awaiting = new Set<() => void>()
  #wake: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY

  constructor(states: Iterable<TargetState>, whenAllCooling: 'try' | 'refuse') {
    this.#refusesCooling = whenAllCooling === 'refuse'
    for (const state of states) state.onRoom = () => this.#notify()
  }

  /** Returns the room that targets have for an exchange. */
  capacityFor(exchange: Claimant, eligible: readonly TargetState[]): Capacity {
    return {
      isBounded: eligible.every(({ maxConcurrent }) => maxConcurrent < Number.POSITIVE_INFINITY),
      has: () => this.#has(eligible),
      hold: () => {
        if (!exchange.isSettled) this.#held.set(exchange, eligible)
      },
      release: () => this.release(exchange),
      onMore: (callback) => {
        this.#awaiting.add(callback)
        return () => void this.#awaiting.delete(callback)
      },
    }
  }

  /** Gives back the place that an exchange holds: it takes one now, or it has ended. */
  release(exchange: Claimant): void {
    if (this.#held.delete(exchange)) this.#notify()
  }

  /** Nobody waits any more. */
  close(): void {
    clearTimeout(this.#wake)
  }

  #has(eligible: readonly TargetState[]): boolean {
    const usable = eligible.filter((each) => each.isUsable)
    // If all cool, there is nothing to wait for: the router says what becomes of the request.
    if (usable.length === 0 && this.#refusesCooling && eligible.every(({ cooling }) => cooling.isCooling)) return true
    // Cooling targets are asked if no other is left, as the router does it.
    const asked = usable.length > 0 || this.#refusesCooling ? usable : eligible.filter((each) => !each.isFull)
    let free = 0
    for (const { maxConcurrent, inFlight } of asked) free += maxConcurrent - inFlight
    // One that holds a place may take it at any target that can serve it.
    for (const targets of this.#held.values()) if (targets.some((each) => eligible.includes(each))) free--
    if (free <= 0) this.#wakeAfterCooling(eligible)
    return free > 0
  }

  /** Nothing else says that a target has stopped cooling. */
  #wakeAfterCooling(eligible: readonly TargetState[]): void {
    const times = eligible.map(({ cooling }) => cooling.remainingMs).filter((ms) => ms > 0)
    const at = performance.now() + Math.min(...times)
    if (times.length === 0 || at >= this.#wakeAt) return
    clearTimeout(this.#wake)
    this.#wakeAt = at
    const ms = Math.min(Math.ceil(at - performance.now()), MAX_TIMER_MS)
    this.#wake = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#notify()
    }, ms).unref()
  }

  #notify(): void {
    for (const callback of [...this.#awaiting]) callback()
  }
}
