/** Callbacks for what happens to written bytes. */
export interface DownstreamEvents {
  /** The client does not keep up: nothing more may be written until it has read. */
  onBackpressure(): void
  /** The client reads again, after `isBlocked`. */
  onDrain(): void
  /** Writing a heartbeat threw, for example in a middleware that wraps the response. */
  onCrash(error: unknown): void
  /** The client has not read within its time limit. */
  onDrainTimeout(): void
  /** A middleware that wraps the response compresses what is written, and cannot flush it. */
  onUnflushable(): void
}
