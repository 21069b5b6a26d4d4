import type { Outcome } from './errors.js'
import type { Limits } from './limits.js'
/** Counters and gauges of a middleware since its start. */
export interface AiProxyStats {
  /** When the middleware was made, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Exchanges that have begun. */
  readonly exchanges: number
  /** Those of them that are under way, including those that wait in a connection's pipeline. */
  readonly active: number
  /** Of those under way: the streams that `maxConcurrentStreams` bounds. */
  readonly streams: number
  /** Of those under way: whose client has to read first. */
  readonly waitingForDrain: number
  /** Streams of the whole process that wait for a turn. */
  readonly waitingForTurn: number
  /** Bytes of memory that hold request bodies: what `maxHeldBytes` bounds. */
  readonly heldBytes: number
  /** Exchanges that have ended, by outcome. */
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Of those: which limits were hit, how often. */
  readonly limits: Readonly<Partial<Record<keyof Limits, number>>>
  /** Body bytes from clients. This and the sums below are over the exchanges that have ended. */
  readonly requestBytes: number
  /** Body bytes from the provider, decoded. */
  readonly upstreamBytes: number
  /** Body bytes to clients, heartbeats and error events included. */
  readonly downstreamBytes: number
  /** Events that passed. */
  readonly events: number
  /** Turns that streams took. */
  readonly turns: number
  /** What they took together, in milliseconds. */
  readonly busyMs: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
}
