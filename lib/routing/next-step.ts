import type { RetryReason } from '../api/targets.js'
import { backoffMs } from './backoff.js'
import type { AttemptFailure, Verdict } from './failure.js'

/** A `Retry-After` up to this is waited for even if another target could be asked: its prompt cache is worth more. */
const SHORT_RETRY_AFTER_MS = 1000

/** What the app allows, and what has been used of it. */
export interface RetryBudget {
  /** Reasons for which a request is tried again. */
  readonly on: readonly RetryReason[]
  /** Attempts that may still start. */
  readonly attemptsLeft: number
  /** The longest `Retry-After` that is waited for. */
  readonly maxWaitMs: number
  /** Bounds of the backoff. */
  readonly backoffMs: readonly [min: number, max: number]
  /** Backoffs of this exchange so far: each doubles the next. */
  readonly backoffs: number
  /** Since the first attempt started. */
  readonly elapsedMs: number
  /** No attempt starts later than this after the first one. */
  readonly withinMs: number
}

/** An attempt that failed, and what could follow. */
export interface FailedAttempt<T> {
  readonly verdict: Verdict
  readonly failure: AttemptFailure
  readonly policy: RetryBudget
  /** How often this target was asked again before. */
  readonly sameTargetTries: number
  /** Targets that were not tried and can be asked, in order. */
  readonly remaining: readonly T[]
  /** Returns a number from 0 to 1, without 1. */
  readonly random: () => number
}

/** `again` asks the same target, `next` another one, `give-up` leaves it at the failure. */
export type NextStep<T> =
  | { readonly do: 'again'; readonly afterMs: number }
  | { readonly do: 'next'; readonly target: T; readonly afterMs: 0 }
  | { readonly do: 'give-up' }

/** Decides what to do after an attempt failed. A target is asked again once at most. */
export function nextStep<T>(failed: FailedAttempt<T>): NextStep<T> {
  const { verdict, policy, remaining } = failed
  const { reason } = verdict
  if (reason === undefined || !policy.on.includes(reason) || policy.attemptsLeft < 1) return { do: 'give-up' }
  const next = verdict.nextTarget ? remaining[0] : undefined
  const waitMs = waitBeforeSameTarget(failed, next !== undefined)
  const fits = (ms: number) => policy.elapsedMs + ms <= policy.withinMs
  // The last attempt goes to a target that has not failed yet.
  const isSame = waitMs !== undefined && fits(waitMs) && (policy.attemptsLeft > 1 || next === undefined)
  if (isSame) return { do: 'again', afterMs: waitMs }
  return next !== undefined && fits(0) ? { do: 'next', target: next, afterMs: 0 } : { do: 'give-up' }
}

/** How long to wait before the same target is asked again; `undefined` if it is not. */
function waitBeforeSameTarget<T>(failed: FailedAttempt<T>, hasNext: boolean): number | undefined {
  const { verdict, failure, policy, sameTargetTries, random } = failed
  if (sameTargetTries > 0 || verdict.sameTarget === 'no') return undefined
  if (verdict.sameTarget === 'at-once') return 0
  // A 503 or 529 may come with one, too.
  const { retryAfterMs } = failure
  const longestMs = hasNext ? Math.min(SHORT_RETRY_AFTER_MS, policy.maxWaitMs) : policy.maxWaitMs
  if (retryAfterMs !== undefined && retryAfterMs > longestMs) return undefined
  if (verdict.sameTarget === 'after-retry-after') return retryAfterMs
  return Math.max(retryAfterMs ?? 0, backoffMs(policy.backoffs, policy.backoffMs, random))
}
