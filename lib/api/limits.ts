import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'

/** What an exchange may use. Sizes are in bytes, times in milliseconds; each is above 0, and `false` is no limit. */
export interface Limits {
  /** Size of the request body, as it comes in. Default 32 MiB. */
  maxRequestBytes: number | false
  /**
   * Exchanges under way at once in this middleware, streams or not. Each takes two file descriptors, the client's
   * connection and the provider's. Default: 1,000, or as many as leave the app a fifth of its descriptors: 400 under
   * `ulimit -n 1024`.
   */
  maxConcurrentExchanges: number | false
  /**
   * Size of a compressed request body once it is decompressed, which is done only for `models`, `modelOptions` and
   * `onRequest`. A body of 57 bytes may decompress to 32 MiB. Default 8 MiB.
   */
  maxDecodedRequestBytes: number | false
  /**
   * Memory for request bodies, of all requests of this middleware together: while they come in, and until the provider
   * begins to answer, because they may have to be sent again. Bodies that pass unbuffered do not count. Default 256 MiB.
   */
  maxHeldBytes: number | false
  /** Streams under way at once, in this middleware. Default `false`. */
  maxConcurrentStreams: number | false
  /**
   * How long an upload that passes unbuffered may stand still, because the client sends nothing or the provider reads
   * nothing. Default: what `idleTimeoutMs` is.
   */
  uploadIdleTimeoutMs: number | false
  /** From the start of the upstream request to the head of its response. Default 600,000 (10 min). */
  firstByteTimeoutMs: number | false
  /**
   * From the start of the upstream request to the model's first content in a stream: text, reasoning, a tool call, or the
   * end. Comments, pings and events without content do not count. Default `false`.
   */
  firstTokenTimeoutMs: number | false
  /**
   * Silence of the provider within a response. Each byte ends it, be it of a comment or a ping: see `progressTimeoutMs`.
   * Default 120,000 (2 min).
   */
  idleTimeoutMs: number | false
  /**
   * From any content of a stream to the next, once there was some; what counts is what counts for `firstTokenTimeoutMs`.
   * Default `false`.
   */
  progressTimeoutMs: number | false
  /** From the head of the response to its end. Default 1,800,000 (30 min). */
  maxStreamDurationMs: number | false
  /** Size of the response body, decoded. Default 256 MiB. */
  maxResponseBytes: number | false
  /**
   * Size of one event. Default 64 MiB: pictures come as one event. Memory for it is used only while such an event comes in
   * and goes out.
   */
  maxEventBytes: number | false
  /** How long a client may leave what was written to it unread. Default 60,000 (1 min). */
  drainTimeoutMs: number | false
  /** Tokens that a stream may generate, as far as the provider tells or we estimate. Default `false`. */
  maxOutputTokens: number | false
  /** How long a provider that has said that its stream is over may leave the response open. Default 1,000. */
  terminatorGraceMs: number | false
}

/** Limits that are counted over all requests of a middleware. */
type SharedLimit = 'maxConcurrentExchanges' | 'maxConcurrentStreams' | 'maxHeldBytes'

/** The limits that each request has to itself. */
export type RequestLimits = Omit<Limits, SharedLimit>

/**
 * Gives the limits of one request; those that it leaves out are the middleware's. It is called once the request has been
 * admitted (its endpoint, and `maxConcurrentExchanges`), before the body is read. If it throws, or returns what is no
 * limit, the client gets 500 `internal_error`, and `onError` the reason. It has `firstByteTimeoutMs` of the middleware's
 * limits to answer.
 */
export type LimitsPerRequest<Req extends IncomingMessage = Request> = (
  req: Req,
) => Partial<RequestLimits> | Promise<Partial<RequestLimits>>

/**
 * The option `limits`: limits, and a function that gives others for each request; or that function alone.
 *
 * `maxConcurrentExchanges`, `maxConcurrentStreams` and `maxHeldBytes` are counted over all requests, so the function
 * cannot give them.
 */
export type LimitsOption<Req extends IncomingMessage = Request> =
  | (Partial<Limits> & {
      /** Gives the limits of each request; those that it leaves out are the ones beside it. Default: none. */
      perRequest?: LimitsPerRequest<Req>
    })
  | LimitsPerRequest<Req>

/** Every limit as a number; `Infinity` for one that is off. */
export type ResolvedLimits = { readonly [Name in keyof Limits]: number }
