import { type TurnClock, TurnScheduler } from '../../lib/scheduling/turns.js'

/** A manual event loop: the test advances the time and runs each round. */
export class ManualTurnClock implements TurnClock {
  time = 0
  readonly #deferred: (() => void)[] = []

  now(): number {
    return this.time
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  /** The number of functions that wait for the next round. */
  get deferred(): number {
    return this.#deferred.length
  }

  /** Runs one round: what was deferred before it began, not what is deferred meanwhile. */
  runRound(): void {
    for (const run of this.#deferred.splice(0)) run()
  }

  /** Runs rounds until nothing waits. */
  runAll(most = 10_000): void {
    for (let rounds = 0; this.#deferred.length > 0; rounds++) {
      if (rounds === most) throw new Error(`something still waits after ${most} rounds`)
      this.runRound()
    }
  }
}

/** A scheduler whose rounds the test runs. */
export function manualTurns(budgetMs = 1): { clock: ManualTurnClock; turns: TurnScheduler } {
  const clock = new ManualTurnClock()
  return { clock, turns: new TurnScheduler(budgetMs, clock) }
}
