import type { Agent as HttpAgent, IncomingMessage } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Request } from 'express'

/**
 * A secret, or a function that returns it for each request, so that keys can rotate or differ by user. It is called last,
 * for a request that has passed all other checks. If it throws, the client gets 500 `credentials_unavailable`.
 */
export type Credential<Req extends IncomingMessage = Request> = string | ((req: Req) => string | Promise<string>)

/** Credentials for the provider. If any are set, the client's own are never forwarded. */
export interface AuthOptions<Req extends IncomingMessage = Request> {
  /** Request headers: `{ authorization: 'Bearer …' }`, `{ 'x-api-key': '…' }`. Default: none. */
  headers?: Record<string, Credential<Req>>
  /** Query parameters: `{ key: '…' }`. They replace the client's of the same name. Default: none. */
  query?: Record<string, Credential<Req>>
}

/** Options for http-proxy-middleware, and for the connections that it makes. */
export interface ProxyOptions {
  /**
   * Agent for upstream connections: Node's, or one that goes through a proxy (`https-proxy-agent`, `proxy-agent`,
   * `socks-proxy-agent`). Default: one of the middleware's own, with keep-alive.
   */
  agent?: HttpAgent | HttpsAgent
  /**
   * Goes through the proxy that `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY` names for the target, unless `NO_PROXY` names the
   * target. These variables may be in upper or lower case, and are read when the middleware is created. Needs the package `proxy-agent`. Default
   * `false`.
   */
  fromEnv?: boolean
  /** Whether the provider's TLS certificate is checked. Default `true`. */
  secure?: boolean
  /** TLS options for upstream connections: `ca`, `cert`, `key`, … Default: Node's. */
  ssl?: SecureContextOptions
  /** Adds `x-forwarded-for`, `-host`, `-port` and `-proto`. Default `false`. */
  xfwd?: boolean
  /** Sends the target's host name as `host`, instead of the name that the client used. Default `true`. */
  changeOrigin?: boolean
  /** Local IP address for upstream connections. Default: the system's choice. */
  localAddress?: string
  /**
   * Reads the connections of the middleware's own agent into one buffer, and decodes chunked bodies itself, which saves CPU
   * time if streams burst; Node does everything else of the protocol. `false` leaves all of it to Node. An agent of your own
   * (`agent`, `fromEnv`) turns it off, and it turns itself off on a Node whose HTTP client does not listen to its connections
   * as expected. Default `true`.
   */
  fastPath?: boolean
}
