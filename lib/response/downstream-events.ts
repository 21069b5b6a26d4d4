/** Told what becomes of what is written. */
export interface DownstreamEvents {
  /** The client does not keep up: nothing more is written until it has read. */
  onBackpressure(): void
  /** The client has read on, after `isBlocked`. */
  onDrain(): void
  /** Something threw at a heartbeat: a middleware that wraps the response. */
  onCrash(error: unknown): void
  /** The client has not read for longer than it may. */
  onDrainTimeout(): void
  /** A middleware that wraps the response compresses what is written, and cannot be told to send it. */
  onUnflushable(): void
}
