/** Source of time; injected. */
export interface Clock {
  /** Monotonic time in milliseconds. */
  now(): number
}
