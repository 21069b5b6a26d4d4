import { maxExchangesByDescriptors } from '../util/descriptors.js'

/** What an exchange may use. Sizes are in bytes, times in milliseconds; `Infinity` lifts a limit. */
export interface Limits {
  /** Size of the request body, as it comes in. Default 32 MiB. */
  maxRequestBytes: number
  /**
   * Exchanges under way at once in this middleware, streams or not. Each takes two file descriptors, the client's
   * connection and the provider's. Default: 1,000, or as many as leave the app a fifth of its descriptors: 400 under
   * `ulimit -n 1024`.
   */
  maxConcurrentExchanges: number
  /**
   * Size of a compressed request body once it is decompressed, which is done only for `models`, `modelOptions` and
   * `onRequest`. A body of 57 bytes may decompress to 32 MiB. Default 8 MiB.
   */
  maxDecodedRequestBytes: number
  /**
   * Memory for request bodies, of all requests of this middleware together: while they come in, and until the provider
   * begins to answer, because they may have to be sent again. Bodies that pass unbuffered do not count. Default 256 MiB.
   */
  maxHeldBytes: number
  /** Streams under way at once, in this middleware. Default `Infinity`. */
  maxConcurrentStreams: number
  /**
   * How long an upload that passes unbuffered may stand still, because the client sends nothing or the provider reads
   * nothing. Default: what `idleTimeoutMs` is.
   */
  uploadIdleTimeoutMs: number
  /** From the start of the upstream request to the head of its response. Default 600,000 (10 min). */
  firstByteTimeoutMs: number
  /**
   * From the start of the upstream request to the model's first content in a stream: text, reasoning, a tool call, or the
   * end. Comments, pings and events without content do not count. Default `Infinity`.
   */
  firstTokenTimeoutMs: number
  /**
   * Silence of the provider within a response. Each byte ends it, be it of a comment or a ping: see `progressTimeoutMs`.
   * Default 120,000 (2 min).
   */
  idleTimeoutMs: number
  /**
   * From any content of a stream to the next, once there was some; what counts is what counts for `firstTokenTimeoutMs`.
   * Default `Infinity`.
   */
  progressTimeoutMs: number
  /** From the head of the response to its end. Default 1,800,000 (30 min). */
  maxStreamDurationMs: number
  /** Size of the response body, decoded. Default 256 MiB. */
  maxResponseBytes: number
  /**
   * Size of one event. Default 64 MiB: pictures come as one event. Memory for it is used only while such an event comes in
   * and goes out.
   */
  maxEventBytes: number
  /** How long a client may leave what was written to it unread. Default 60,000 (1 min). */
  drainTimeoutMs: number
  /** Tokens that a stream may generate, as far as the provider tells or we estimate. Default `Infinity`. */
  maxOutputTokens: number
  /** How long a provider that has said that its stream is over may leave the response open. Default 1,000. */
  terminatorGraceMs: number
}

const MIB = 1024 * 1024
const MINUTE = 60_000

export const defaultLimits: Readonly<Limits> = {
  maxRequestBytes: 32 * MIB,
  maxConcurrentExchanges: maxExchangesByDescriptors(),
  maxDecodedRequestBytes: 8 * MIB,
  maxHeldBytes: 256 * MIB,
  maxConcurrentStreams: Number.POSITIVE_INFINITY,
  uploadIdleTimeoutMs: 2 * MINUTE,
  firstByteTimeoutMs: 10 * MINUTE,
  firstTokenTimeoutMs: Number.POSITIVE_INFINITY,
  idleTimeoutMs: 2 * MINUTE,
  progressTimeoutMs: Number.POSITIVE_INFINITY,
  maxStreamDurationMs: 30 * MINUTE,
  maxResponseBytes: 256 * MIB,
  maxEventBytes: 64 * MIB,
  drainTimeoutMs: MINUTE,
  maxOutputTokens: Number.POSITIVE_INFINITY,
  terminatorGraceMs: 1000,
}
