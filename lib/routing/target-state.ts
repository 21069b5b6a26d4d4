import type { TargetStats } from '../api/attempt-record.js'
import type { TargetCandidate } from '../api/targets.js'
import type { Clock } from './clock.js'
import { Cooling } from './cooling.js'
import type { AttemptFailure, Verdict } from './failure.js'
import { MovingAverage } from './moving-average.js'

/** A target, as far as choosing one is concerned. */
export interface RouterTarget {
  readonly name: string
  /** Above 0. */
  readonly weight: number
  readonly priority: number
  /** `Infinity` for no limit. */
  readonly maxConcurrent: number
}

/** What is known of a target by now: its load, its speed, its failures. */
export class TargetState implements RouterTarget {
  readonly name: string
  readonly weight: number
  readonly priority: number
  readonly maxConcurrent: number
  readonly cooling: Cooling
  readonly #firstToken: MovingAverage
  /** Called when it has more room than before. */
  onRoom: (() => void) | undefined
  #inFlight = 0
  #attempts = 0
  #failures = 0

  constructor({ name, weight, priority, maxConcurrent }: RouterTarget, clock: Clock) {
    this.name = name
    this.weight = weight
    this.priority = priority
    this.maxConcurrent = maxConcurrent
    this.cooling = new Cooling(clock)
    this.#firstToken = new MovingAverage(clock)
  }

  /** Exchanges with it under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Attempts that started at it. */
  get attempts(): number {
    return this.#attempts
  }

  /** Attempts that failed at it. Final answers that are the client's fault do not count, and neither do requests that were never sent. */
  get failures(): number {
    return this.#failures
  }

  /** Moving average of the time to first token, in milliseconds; `undefined` without a sample. */
  get firstTokenMs(): number | undefined {
    return this.#firstToken.value
  }

  /** Number of samples in that average. */
  get samples(): number {
    return this.#firstToken.samples
  }

  get isFull(): boolean {
    return this.#inFlight >= this.maxConcurrent
  }

  /** Neither cooling nor full. */
  get isUsable(): boolean {
    return !this.isFull && !this.cooling.isCooling
  }

  /** An attempt starts. Each call needs one of {@link end}. */
  begin(): void {
    this.#inFlight++
    this.#attempts++
  }

  /** An attempt is over, whatever became of it. */
  end(): void {
    this.#inFlight--
    this.onRoom?.()
  }

  /** An attempt failed, as `judge()` sees it. */
  fail(verdict: Verdict, failure: AttemptFailure): void {
    if (verdict.reason !== undefined && failure.kind !== 'unprepared') this.#failures++
    this.cooling.report(verdict, failure)
  }

  /** An answer was good. */
  succeed(): void {
    this.cooling.succeed()
  }

  /** An attempt had its first token after `ms` milliseconds. */
  sample(ms: number): void {
    this.#firstToken.add(ms)
  }

  /** An attempt had no first token for `ms` milliseconds, and then lost to a later one. It would have taken longer. */
  lose(ms: number): void {
    if (this.firstTokenMs === undefined || this.firstTokenMs < ms) this.#firstToken.add(ms)
  }

  /** A snapshot for the app's balance function. */
  candidate(): TargetCandidate {
    const { name, weight, priority, inFlight, firstTokenMs } = this
    return { name, weight, priority, inFlight, firstTokenMs }
  }

  /** @param nowEpoch milliseconds since the epoch */
  stats(nowEpoch: number): TargetStats {
    const { name, inFlight, attempts, failures, firstTokenMs, samples, cooling } = this
    return {
      name,
      inFlight,
      coolingUntil: cooling.isCooling ? Math.ceil(nowEpoch + cooling.remainingMs) : undefined,
      coolingBecause: cooling.because,
      attempts,
      failures,
      firstTokenMs,
      samples,
    }
  }
}
