/** Reason of an attempt's end, as in {@link AttemptRecord}. */
export type AttemptCode =
  | 'upstream_unreachable'
  | 'upstream_reset'
  | 'upstream_truncated'
  | 'upstream_error'
  | 'first_byte_timeout'
  | 'first_token_timeout'
  /** Nothing was sent: a function of the app (`auth`, `onAttempt`) did not answer in time, or before the exchange ended. */
  | 'unprepared'
  /** Another attempt was faster. */
  | 'outrun'
  /** The exchange ended first: the client left, or a limit was hit. */
  | 'abandoned'
  | (string & {})

/**
 * One attempt at one target. A request that had to be sent again because a pooled connection was dead, or because the provider
 * refused to be asked for usage, is still the same attempt.
 */
export interface AttemptRecord {
  /** Name of the target. */
  readonly target: string
  /** The model that it was asked for, as the provider calls it. */
  readonly model: string | undefined
  /** HTTP status of its answer; `undefined` if there was none. */
  readonly status: number | undefined
  /** Why it failed or was given up; `undefined` if its answer went to the client. */
  readonly code: AttemptCode | undefined
  /** When it started, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds from its start until it failed, was given up, or its answer ended. */
  readonly ms: number
  /** Milliseconds from its start to the model's first output; `undefined` if there was none. */
  readonly firstTokenMs: number | undefined
  /** Whether it was started because another one was slow. */
  readonly hedged: boolean
}

/** State of a target, in `stats()`. */
export interface TargetStats {
  /** Its name. */
  readonly name: string
  /** Exchanges with it under way. */
  readonly inFlight: number
  /** When it can be asked again, in milliseconds since the epoch; `undefined` if it can be now. */
  readonly coolingUntil: number | undefined
  /** Why it is cooling: a status (`429`), a code (`upstream_unreachable`), `failure_rate`, or `operator`. */
  readonly coolingBecause: string | undefined
  /** Attempts that started at it. */
  readonly attempts: number
  /** Attempts that failed at it. One whose request could not be prepared does not count: that says nothing about the target. */
  readonly failures: number
  /** Moving average of the time to first token, in milliseconds; `undefined` without a sample. */
  readonly firstTokenMs: number | undefined
  /** Number of samples in that average. */
  readonly samples: number
}
