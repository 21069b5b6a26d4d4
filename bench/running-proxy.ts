/** A proxy that runs: `/health` and `/ai` at `port`. */
export interface RunningProxy {
  port: number
  /** Microseconds of CPU time so far, user and system. */
  cpuMicros(): Promise<number>
  /** Output tokens that it has counted so far; `null` where it does not. */
  outputTokens(): Promise<number | null>
  /** Bytes in use: `rss` as the system sees it, `held` as the runtime itself counts it (NaN where it cannot tell). */
  memory(): Promise<{ rss: number; held: number }>
  stop(): Promise<void>
}
