import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'

/**
 * Limits on what an exchange may use. Sizes are in bytes, times in milliseconds; each is above 0, and `false` means no
 * limit.
 */
export interface Limits {
  /** Size of the request body as it arrives. Default 32 MiB. */
  maxRequestBytes: number | false
  /**
   * Concurrent exchanges of this middleware, streamed or not. Each takes two file descriptors: the client's connection
   * and the provider's. Default: 1,000, or fewer, so that a fifth of the process's descriptors is left to the app: 400
   * under `ulimit -n 1024`.
   */
  maxConcurrentExchanges: number | false
  /**
   * Size of a compressed request body after decompression, which is needed only for options that look into bodies: `models`,
   * `modelOptions`, `onRequest`, `identify`, `policies`, `cache`, and `resume` for OpenAI's responses. A body of 57 bytes may
   * decompress to 32 MiB. Default 8 MiB.
   */
  maxDecodedRequestBytes: number | false
  /**
   * Memory for all request bodies of this middleware together, from their arrival until the provider begins to answer:
   * until then, they may have to be sent again. Bodies that pass unbuffered do not count. Default 256
   * MiB.
   */
  maxHeldBytes: number | false
  /** Concurrent streams of this middleware. Default `false`. */
  maxConcurrentStreams: number | false
  /**
   * How long an upload that passes unbuffered may make no progress, because the client sends nothing or the provider
   * reads nothing. Default: the value of `idleTimeoutMs`.
   */
  uploadIdleTimeoutMs: number | false
  /** Time from the start of the upstream request to the head of its response. Default 600,000 (10 min). */
  firstByteTimeoutMs: number | false
  /**
   * Time from the start of the upstream request to the model's first content in a stream: text, reasoning, a tool call,
   * or the end. Comments, pings and events without content do not count, and neither does the time that `onResponse`
   * takes. Default `false`.
   */
  firstTokenTimeoutMs: number | false
  /**
   * How long the provider may be silent within a response. Any byte ends the silence, even of a comment or a ping: see
   * `progressTimeoutMs`. Default 120,000 (2 min).
   */
  idleTimeoutMs: number | false
  /**
   * Time from any content of a stream to the next; content is what counts for `firstTokenTimeoutMs`. Default `false`.
   */
  progressTimeoutMs: number | false
  /** Time from the head of the response to its end. Default 1,800,000 (30 min). */
  maxStreamDurationMs: number | false
  /** Size of the decoded response body. Default 256 MiB. */
  maxResponseBytes: number | false
  /**
   * Size of one event. Default 64 MiB, because a picture is a single event. Memory for it is used only while such an
   * event passes.
   */
  maxEventBytes: number | false
  /** How long a client may leave bytes that were written to it unread. Default 60,000 (1 min). */
  drainTimeoutMs: number | false
  /** Tokens that a stream may generate, as reported by the provider or as estimated. Default `false`. */
  maxOutputTokens: number | false
  /** How long a provider may keep the response open after the last event of its stream. Default 1,000. */
  terminatorGraceMs: number | false
}

/** Limits that apply to all requests of a middleware together. */
type SharedLimit = 'maxConcurrentExchanges' | 'maxConcurrentStreams' | 'maxHeldBytes'

/** The limits that apply to each request separately. */
export type RequestLimits = Omit<Limits, SharedLimit>

/**
 * Returns the limits of one request; the middleware's apply for those that it leaves out. It is called after the
 * request has been admitted (by `endpoints` and `maxConcurrentExchanges`), and before the body is read. If it throws,
 * or returns an invalid limit, the client gets 500 `internal_error`, and `onError` gets the reason. It must answer within
 * the middleware's `firstByteTimeoutMs`.
 */
export type LimitsPerRequest<Req extends IncomingMessage = Request> = (req: Req) => SomeLimits | Promise<SomeLimits>

/** @inline */
type SomeLimits = { [Name in keyof RequestLimits]?: RequestLimits[Name] | undefined }

/**
 * The option `limits`: limits, together with a function that returns others per request; or that function alone.
 *
 * `maxConcurrentExchanges`, `maxConcurrentStreams` and `maxHeldBytes` apply to all requests together, so the function
 * cannot set them.
 */
export type LimitsOption<Req extends IncomingMessage = Request> =
  | (Partial<Limits> & {
      /** Returns the limits of each request; the limits next to it apply if it leaves them out. Default: none. */
      perRequest?: LimitsPerRequest<Req>
    })
  | LimitsPerRequest<Req>

/** Every limit as a number; `Infinity` if it is off. */
export type ResolvedLimits = { readonly [Name in keyof Limits]: number }
