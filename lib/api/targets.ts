import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { AnyFormatName } from '../formats/index.js'
import type { HookedExchange } from './hooks.js'
import type { AuthOptions, ProxyOptions } from './provider-options.js'

/** Maps the names of models that clients use to those that the provider uses. */
export type ModelAliases = Readonly<Record<string, string>>

/**
 * Models that a target serves, by the names that clients use: names, RegExps, and maps from the client's name to the
 * provider's.
 */
export type TargetModels = ModelAliases | readonly (string | RegExp | ModelAliases)[]

/** One of several providers behind a route. */
export interface TargetOptions<Req extends IncomingMessage = Request> {
  /** Identifies the target in records, metrics, the debug log and `stats()`. Unique. */
  name: string
  /** Base URL of the provider, `http:` or `https:`; a path in it is kept as a prefix. */
  target: string | URL
  /** Credentials for this provider. A target never inherits any. Default: none. */
  auth?: AuthOptions<Req>
  /** Further request headers for this provider. Default: the middleware's `headers`, without credentials. */
  headers?: Record<string, string>
  /** Options for http-proxy-middleware, and for the connections to this provider. Default: the middleware's `proxy`. */
  proxy?: ProxyOptions
  /** The protocols that it speaks. A request goes only to targets that speak its client's. Default: all. */
  formats?: readonly AnyFormatName[]
  /** The models that it serves, by the names that clients use, and how it calls them. Default: all. */
  models?: TargetModels
  /** Its share of the requests among the targets of one priority; above 0. Default 1. */
  weight?: number
  /** Targets with a lower number are asked first; those with a higher one if none of these can serve. Default 0. */
  priority?: number
  /** Concurrent exchanges with this target; a full target is passed over. Default `false`: no limit. */
  maxConcurrent?: number | false
}

/** What is known of a target when one is chosen. */
export interface TargetCandidate {
  /** Its name. */
  readonly name: string
  /** Its share among the targets of its priority. */
  readonly weight: number
  /** Lower numbers are asked first. */
  readonly priority: number
  /** Exchanges with it under way. */
  readonly inFlight: number
  /** Moving average of the time to first token, in milliseconds; `undefined` without a sample. */
  readonly firstTokenMs: number | undefined
}

/**
 * Returns the targets of one priority, or their names, in the order in which to ask them. Targets that it leaves out are not
 * asked. It must return at once.
 *
 * @param candidates the targets of one priority that serve the request, are not cooling, and are not full
 * @param stickyKey the key by which requests stick to a target; `undefined` if `sticky` is off, or the request has none
 */
export type BalanceFunction<Req extends IncomingMessage = Request> = (
  candidates: readonly TargetCandidate[],
  exchange: HookedExchange<Req>,
  stickyKey: string | undefined,
) => readonly (string | TargetCandidate)[]

/**
 * How requests are shared among the targets of one priority. `weighted`: by weight, evenly spread over time. `least-busy`:
 * to the target with the fewest exchanges under way, relative to its weight. `fastest`: to the one with the shortest average time to first
 * token.
 */
export type Balance<Req extends IncomingMessage = Request> =
  | 'weighted'
  | 'least-busy'
  | 'fastest'
  | BalanceFunction<Req>

/** Which requests go to the same target, so that its prompt cache has what they have in common. */
export interface StickyOptions<Req extends IncomingMessage = Request> {
  /**
   * Returns the key of a request; `undefined` if it may go anywhere. Default: `prompt_cache_key`, or
   * `metadata.user_id`, or a hash of the system prompt, the tools and the first user message.
   */
  key?: (request: { readonly body: unknown }, exchange: HookedExchange<Req>) => string | undefined
  /**
   * How long a key stays with the target that took it over while its own could not serve, and how long the target of a
   * `previous_response_id` is remembered, in milliseconds since the last request. Default 300,000 (5 min).
   */
  ttlMs?: number
}

/** The beginning of a stream that is held back until the model has written something. */
export interface PreambleOptions {
  /** Events without content. Default 64. */
  events?: number
  /** Bytes. Default 262,144 (256 KiB). */
  bytes?: number
  /** Milliseconds from the head of the response. Default 2,000. */
  ms?: number
}

/** Reasons to try a request again. */
export type RetryReason = 'connection' | 'server-error' | 'rate-limit' | 'auth' | 'timeout' | 'stream-error'

/** How often, when and why a request that failed is tried again. */
export interface RetryOptions {
  /** Attempts per request, over all targets. Default 3. */
  attempts?: number
  /**
   * Failures that lead to another attempt. `connection`: no connection, or a break before the answer. `server-error`: 408,
   * 500, 502, 503, 504, 529. `rate-limit`: 429. `auth`: 401, 402, 403, at another target. `timeout`: no first byte or
   * token in time. `stream-error`: an error, or the end, in a stream without content. Default: all.
   */
  on?: readonly RetryReason[]
  /**
   * Backoff before the same target is tried again, in milliseconds: anything from 0 to a bound (full jitter), which begins
   * at the first number, doubles with each backoff, and ends at the second. Default `[250, 4000]`.
   */
  backoffMs?: readonly [number, number]
  /** The longest `Retry-After` to wait for. Default 10,000. */
  maxWaitMs?: number
  /** No attempt starts later than this after the first one. Default 30,000. */
  withinMs?: number
  /** How much of a stream is held back before its first content; `false` holds nothing back. Default: see {@link PreambleOptions}. */
  preamble?: PreambleOptions | false
}

/** Asks another target if the first one is slow. The losing attempt costs money. */
export interface HedgeOptions {
  /** Asks the next target if no content has arrived for this long, in milliseconds. */
  afterMs: number
  /** Attempts that may be started this way. Default 1. */
  max?: number
}
