/** A running proxy, with `/health` and `/ai` at `port`. */
export interface RunningProxy {
  port: number
  /** CPU time so far, user and system, in microseconds. */
  cpuMicros(): Promise<number>
  /** Output tokens counted so far; `null` if it does not count them. */
  outputTokens(): Promise<number | null>
  /** Bytes in use: `rss` as the system counts it, `held` as the runtime does (NaN if it cannot). */
  memory(): Promise<{ rss: number; held: number }>
  stop(): Promise<void>
}
