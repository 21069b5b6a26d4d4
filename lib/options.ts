import type { Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Request, Response } from 'express'
import type { ExchangeRecord } from './exchange.js'

/** A secret, or a function that gives it for each request, so that keys can rotate. */
export type Credential = string | (() => string | Promise<string>)

/** Credentials for the provider. Where any are set, the client's own never go on. */
export interface AuthOptions {
  /** Request headers: `{ authorization: 'Bearer …' }`, `{ 'x-api-key': '…' }`. */
  headers?: Record<string, Credential>
  /** Query parameters: `{ key: '…' }`. They replace the client's of the same name. */
  query?: Record<string, Credential>
}

/** What an exchange may use. Sizes are in bytes, times in milliseconds; `Infinity` lifts a limit. */
export interface Limits {
  /** Size of the request body. Default 32 MiB. */
  maxRequestBytes: number
  /** Streams under way at once, in this middleware. Default `Infinity`. */
  maxConcurrentStreams: number
  /** From the start of the upstream request to the head of its response. Default 600,000 (10 min). */
  firstByteTimeoutMs: number
  /** Silence of the provider within a response. Default 120,000 (2 min). */
  idleTimeoutMs: number
  /** From the head of the response to its end. Default 1,800,000 (30 min). */
  maxStreamDurationMs: number
  /** Size of the response body, decoded. Default 256 MiB. */
  maxResponseBytes: number
  /** Size of one event. Default 8 MiB. */
  maxEventBytes: number
  /** How long a client may leave what was written to it unread. Default 60,000 (1 min). */
  drainTimeoutMs: number
}

/** Options handed on to http-proxy-middleware. */
export interface ProxyOptions {
  /** Agent for upstream connections. Default: one of the middleware's own, with keep-alive. */
  agent?: HttpAgent | HttpsAgent
  /** Whether the provider's TLS certificate is checked. Default `true`. */
  secure?: boolean
  /** TLS options for upstream connections: `ca`, `cert`, `key`, … */
  ssl?: SecureContextOptions
  /** Adds `x-forwarded-for`, `-host`, `-port` and `-proto`. Default `false`. */
  xfwd?: boolean
  /** Sends the target's name as `host`, instead of the one that the client used. Default `true`. */
  changeOrigin?: boolean
  /** Local address for upstream connections. */
  localAddress?: string
}

/** Options of {@link aiProxy}. */
export interface AiProxyOptions {
  /** Base URL of the provider, `http:` or `https:`; a path in it is kept as a prefix. */
  target: string | URL
  /** Credentials for the provider. Default: none, the client's own go on. */
  auth?: AuthOptions
  /** Further request headers for the provider. */
  headers?: Record<string, string>
  /**
   * Client headers that go on: names (`*` at the end stands for any rest), or a function of the lower-case name.
   * Replaces {@link defaultForwardHeaders}. Cookies and hop-by-hop headers never go on.
   */
  forwardHeaders?: readonly string[] | ((name: string) => boolean)
  /**
   * Provider paths that can be reached. A string matches under any version prefix, `*` stands for a part of one path
   * segment, and a method may stand before it (`'GET files/*'`); a RegExp is tested against the whole path (`/v1/files`).
   * `'all'` opens everything. Default: {@link defaultEndpoints}.
   */
  endpoints?: 'all' | readonly (string | RegExp)[]
  limits?: Partial<Limits>
  turns?: {
    /**
     * How long turns may run in one round of the event loop, over all streams of the process, in milliseconds.
     * Where several middlewares set it, the smallest counts. Default 0.25.
     */
    budgetMs?: number
  }
  /** An SSE comment goes out when nothing was sent for so long, in milliseconds; 0 is off. Default 15,000. */
  heartbeatMs?: number
  /**
   * Opens the response as an event stream, with a heartbeat, while the provider is still silent, for requests that ask
   * for a stream. The status is 200 from then on; what goes wrong later is said in an error event. Default `false`.
   */
  heartbeatBeforeFirstByte?: boolean
  /**
   * What becomes of the provider's answer when the client leaves: `'abort'` stops it at once, `'drain'` reads it to its
   * end, within the limits. Default `'abort'`.
   */
  onClientDisconnect?: 'abort' | 'drain'
  /** Failures before the first byte: `'respond'` answers them, `'next'` hands them to Express. Default `'respond'`. */
  errors?: 'respond' | 'next'
  /** Called once per exchange, whatever happened. What it throws is reported by `debug` and nothing else. */
  onFinish?: (record: ExchangeRecord, req: Request, res: Response) => void | Promise<void>
  /** Options for http-proxy-middleware. */
  proxy?: ProxyOptions
}

const MIB = 1024 * 1024
const MINUTE = 60_000

export const defaultLimits: Readonly<Limits> = {
  maxRequestBytes: 32 * MIB,
  maxConcurrentStreams: Number.POSITIVE_INFINITY,
  firstByteTimeoutMs: 10 * MINUTE,
  idleTimeoutMs: 2 * MINUTE,
  maxStreamDurationMs: 30 * MINUTE,
  maxResponseBytes: 256 * MIB,
  maxEventBytes: 8 * MIB,
  drainTimeoutMs: MINUTE,
}

export const defaultHeartbeatMs = 15_000
