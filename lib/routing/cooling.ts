import type { Clock } from './clock.js'
import type { AttemptFailure, Verdict } from './failure.js'
import { FailureWindow } from './failure-window.js'

/** A cooling that no header gives the length of: 5 s, doubling with each further one to 60 s. */
const FIRST_STEP_MS = 5000
const MAX_STEP_MS = 60_000

/** Wrong credentials do not mend themselves within seconds. */
const CREDENTIALS_MS = 60_000

/** A provider that asks for more is asked again after an hour all the same: it, or a clock, may be wrong. */
const MAX_RETRY_AFTER_MS = 3_600_000

/** Whether a target is left alone for a while, and why: because it failed, asked for it, or the operator says so. */
export class Cooling {
  readonly #clock: Clock
  readonly #window: FailureWindow
  #until = Number.NEGATIVE_INFINITY
  #because = ''
  /** Coolings of growing length since the last good answer. */
  #steps = 0
  #stepUntil = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
    this.#window = new FailureWindow(clock)
  }

  get isCooling(): boolean {
    return this.remainingMs > 0
  }

  /** How long it still cools, in milliseconds; 0 if it does not. */
  get remainingMs(): number {
    return Math.max(0, this.#until - this.#clock.now())
  }

  /** A status (`429`), a code (`upstream_unreachable`), `failure_rate`, or `operator`; `undefined` if it does not cool. */
  get because(): string | undefined {
    return this.isCooling ? this.#because : undefined
  }

  /** Takes note of a failed attempt. */
  report(verdict: Verdict, failure: AttemptFailure): void {
    switch (verdict.cooling) {
      case 'no':
        return
      case 'now':
        return this.#coolByStep(becauseOf(failure))
      case 'by-rate':
        this.#window.add(true)
        if (this.#window.failsOften) this.#coolByStep('failure_rate')
        return
      case 'rate-limit':
        if (failure.retryAfterMs === undefined) return this.#coolByStep(becauseOf(failure))
        return this.cool(Math.min(failure.retryAfterMs, MAX_RETRY_AFTER_MS), becauseOf(failure))
      case 'credentials':
        return this.cool(CREDENTIALS_MS, becauseOf(failure))
    }
  }

  /** Records a good answer. It does not end a cooling that has begun: the attempt may be older than the cause. */
  succeed(): void {
    this.#window.add(false)
    this.#steps = 0
  }

  /** Cools for `ms` milliseconds, unless it already cools for longer. */
  cool(ms: number, because: string): void {
    const until = this.#clock.now() + ms
    if (until <= this.#until) return
    this.#until = until
    this.#because = because
  }

  /** Ends the cooling, and forgets the failures that led to it. */
  warm(): void {
    this.#until = this.#stepUntil = Number.NEGATIVE_INFINITY
    this.#steps = 0
    this.#window.clear()
  }

  #coolByStep(because: string): void {
    // Requests that were under way together fail together: that is one step.
    if (this.#clock.now() < this.#stepUntil) return
    const ms = Math.min(FIRST_STEP_MS * 2 ** this.#steps++, MAX_STEP_MS)
    this.#stepUntil = this.#clock.now() + ms
    this.cool(ms, because)
  }
}

function becauseOf({ kind, status }: AttemptFailure): string {
  if (status !== undefined) return String(status)
  return kind === 'unreachable' ? 'upstream_unreachable' : 'upstream_reset'
}
