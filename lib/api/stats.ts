import type { TargetStats } from './attempt-record.js'
import type { Outcome } from './errors.js'
import type { JournalStats } from './journal.js'
import type { Limits } from './limits.js'

/** Counters and gauges of a policy. */
export interface PolicyFigures {
  /** Its name. */
  readonly name: string
  /** By their names. */
  readonly figures: Readonly<Record<string, number>>
}

/** Counters of the option `cache`, and what its journal holds. */
export interface CacheStats {
  /** Requests that got a kept answer. */
  readonly hits: number
  /** Requests whose answer may be kept or shared, and for which the provider was asked. */
  readonly misses: number
  /** Requests that got the answer of another, which was still under way. */
  readonly joins: number
}

/** Counters and gauges of a middleware since its start. */
export interface AiProxyStats {
  /** When the middleware was created, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Number of exchanges that have begun. */
  readonly exchanges: number
  /** Number of exchanges under way, including those that wait in a connection's pipeline. */
  readonly active: number
  /** How many of those are streams, as limited by `maxConcurrentStreams`. */
  readonly streams: number
  /** How many of those wait for their client to read. */
  readonly waitingForDrain: number
  /** Number of streams in the whole process that wait for a turn. */
  readonly waitingForTurn: number
  /** Bytes of request bodies in memory, as limited by `maxHeldBytes`. */
  readonly heldBytes: number
  /** Number of exchanges that have ended, by outcome. */
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** How often each limit was hit. */
  readonly limits: Readonly<Partial<Record<keyof Limits, number>>>
  /** State of each of several targets; empty with the option `target`. */
  readonly targets: readonly TargetStats[]
  /** Counters and gauges of the option `policies`, of those that have any. */
  readonly policies: readonly PolicyFigures[]
  /** Counters of the option `cache`; `undefined` without it. */
  readonly cache: CacheStats | undefined
  /** What the middleware's journals hold, added up; `undefined` without the options `resume` and `cache`. */
  readonly journal: JournalStats | undefined
  /** Body bytes from clients. This and the sums below cover the exchanges that have ended. */
  readonly requestBytes: number
  /** Body bytes from the provider, decoded. */
  readonly upstreamBytes: number
  /** Body bytes to clients, including heartbeats and error events. */
  readonly downstreamBytes: number
  /** Number of events that passed. */
  readonly events: number
  /** Number of turns that streams took. */
  readonly turns: number
  /** Their total duration, in milliseconds. */
  readonly busyMs: number
  /** The longest of them, in milliseconds. */
  readonly maxTurnMs: number
}
