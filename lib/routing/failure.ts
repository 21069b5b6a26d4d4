import type { RetryReason } from '../api/targets.js'

/** How an attempt at a target failed before anything of its answer reached the client. */
export interface AttemptFailure {
  /**
   * - `unreachable`: no connection: refused, DNS, TLS.
   * - `reset`: the connection broke before the head of the answer.
   * - `status`: the target answered with `status`.
   * - `first-byte-timeout`, `first-token-timeout`: the answer, or its first content, did not come in time.
   * - `error-event`: the stream carried an error before any content; `status` is what the error says, if known.
   * - `broken`: the stream broke off, or ended, before any content.
   * - `unprepared`: its request could not be made: there were no credentials for it, or a hook of the app threw.
   */
  readonly kind:
    | 'unreachable'
    | 'reset'
    | 'status'
    | 'first-byte-timeout'
    | 'first-token-timeout'
    | 'error-event'
    | 'broken'
    | 'unprepared'
  readonly status?: number | undefined
  /** What the target's `Retry-After` says, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** What the target's `x-should-retry` says; `undefined` if it says nothing. */
  readonly shouldRetry?: boolean | undefined
  /** Whose credentials the request had. Default: the app's. */
  readonly credentialsOf?: 'app' | 'client' | undefined
}

/** What follows from a failure. */
export interface Verdict {
  /** The reason for another try; `undefined` if the answer is final, and is the client's. */
  readonly reason: RetryReason | undefined
  /** Whether the same target may be asked again, once, and when. */
  readonly sameTarget: 'no' | 'at-once' | 'after-backoff' | 'after-retry-after'
  /** Whether another target may be asked. */
  readonly nextTarget: boolean
  /** Whether the target cools: `now` at this failure, `by-rate` if it fails often. */
  readonly cooling: 'no' | 'now' | 'by-rate' | 'rate-limit' | 'credentials'
}

const FINAL: Verdict = { reason: undefined, sameTarget: 'no', nextTarget: false, cooling: 'no' }

const CONNECTION: Verdict = { reason: 'connection', sameTarget: 'at-once', nextTarget: true, cooling: 'now' }

const SERVER_ERROR: Verdict = {
  reason: 'server-error',
  sameTarget: 'after-backoff',
  nextTarget: true,
  cooling: 'by-rate',
}

const RATE_LIMIT: Verdict = {
  reason: 'rate-limit',
  sameTarget: 'after-retry-after',
  nextTarget: true,
  cooling: 'rate-limit',
}

const AUTH: Verdict = { reason: 'auth', sameTarget: 'no', nextTarget: true, cooling: 'credentials' }

/**
 * Statuses of a fault that may pass. 520 to 527, 598 and 599 come from gateways in front of a provider, which
 * could not reach it, or not in time.
 */
const SERVER_ERRORS: ReadonlySet<number> = new Set([
  ...[408, 500, 502, 503, 504, 529],
  ...[520, 521, 522, 523, 524, 525, 526, 527, 598, 599],
])

/** The request was never sent, which says nothing about the target. */
const UNPREPARED: Verdict = { reason: 'auth', sameTarget: 'no', nextTarget: true, cooling: 'no' }

/** Decides what follows from a failure: the table of failures, row by row. */
export function judge(failure: AttemptFailure): Verdict {
  const verdict = judgeByTable(failure)
  return isOfClient(verdict, failure) ? { ...verdict, cooling: 'no' } : verdict
}

/** Whether a failure is about the client's own credentials, and so no reason to keep other clients from the target. */
function isOfClient({ cooling }: Verdict, { credentialsOf }: AttemptFailure): boolean {
  return credentialsOf === 'client' && (cooling === 'rate-limit' || cooling === 'credentials')
}

function judgeByTable(failure: AttemptFailure): Verdict {
  switch (failure.kind) {
    case 'unreachable':
    case 'reset':
      return CONNECTION
    case 'status':
      return heed(judgeStatus(failure.status), failure.shouldRetry)
    case 'first-byte-timeout':
    case 'first-token-timeout':
      return { ...SERVER_ERROR, reason: 'timeout' }
    case 'broken':
      return { ...SERVER_ERROR, reason: 'stream-error' }
    case 'unprepared':
      return UNPREPARED
    case 'error-event':
      // Its status is the provider's guess, made after it had accepted the request: another target is asked in any case.
      return { ...judgeStatus(errorStatus(failure.status)), reason: 'stream-error', nextTarget: true }
  }
}

function judgeStatus(status: number | undefined): Verdict {
  if (status === undefined) return SERVER_ERROR
  if (status === 429) return RATE_LIMIT
  if (status === 401 || status === 402 || status === 403) return AUTH
  return SERVER_ERRORS.has(status) ? SERVER_ERROR : FINAL
}

/**
 * Obeys a target that says itself whether its answer would be the same again. `false` is about this target alone: another
 * one may still answer. `true` makes any failure one that may pass, which is then not the request's fault, nor that of
 * the credentials.
 */
function heed(verdict: Verdict, shouldRetry: boolean | undefined): Verdict {
  if (shouldRetry === undefined) return verdict
  if (!shouldRetry) return { ...verdict, sameTarget: 'no' }
  const { reason = 'server-error', cooling } = verdict
  return {
    reason,
    sameTarget: 'after-backoff',
    nextTarget: true,
    cooling: cooling === 'credentials' ? 'by-rate' : cooling,
  }
}

/** Some errors repeat the 200 of their stream, or a code that is no status: that says no more than none. */
function errorStatus(status: number | undefined): number | undefined {
  return status !== undefined && status >= 400 && status <= 599 ? status : undefined
}
