import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { createProxyMiddleware } from 'http-proxy-middleware'
import type { ProxyOptions } from '../api/provider-options.js'
import { createAgent } from './agent.js'
import { type Attempt, attemptOf, type Middleware } from './attempt.js'
import { agentFromEnvironment } from './environment-proxy.js'
import { mayUseProxy, type Route, withRequestHook } from './route.js'

/** The HTTP client of a middleware. */
export interface UpstreamProxy extends Route {
  readonly handle: Middleware
  /** Closes the idle connections of its own pool, after one was found dead: the others have been idle for longer. */
  closeIdle(): void
  /** Closes the idle connections of its own agent. */
  close(): void
}

/** What is used of http-proxy-middleware's server, the same in versions 3 and 4. */
interface ProxyServer {
  /** Sends a request. In version 4, it returns a promise. */
  web(req: IncomingMessage, res: ServerResponse, settings: object): unknown
  on(event: 'start', listener: (req: object) => void): unknown
  on(event: 'proxyReq', listener: (upstream: ClientRequest, req: object) => void): unknown
  on(event: 'proxyRes', listener: (response: IncomingMessage, req: object) => void): unknown
  on(event: 'error' | 'econnreset', listener: (error: Error, req: object) => void): unknown
}

/**
 * Sets up http-proxy-middleware without its own error handling and logging. Each of its events goes to its attempt.
 *
 * @param origin scheme, host and port of the target
 * @param maxSockets maximum number of connections of its own agent
 */
export function createUpstreamProxy(origin: string, options: ProxyOptions, maxSockets: number): UpstreamProxy {
  const { ssl, fromEnv, fastPath, ...proxyOptions } = options
  // http-proxy-middleware 3 drops most TLS options on the way to the connection; an agent's options arrive in 3 and 4.
  const configuredAgent = options.agent ?? (fromEnv ? agentFromEnvironment(origin, ssl) : undefined)
  const agent = configuredAgent ?? createAgent(new URL(origin).protocol, ssl, maxSockets, fastPath)
  const ownAgent = options.agent ? undefined : agent
  const isViaProxy = configuredAgent !== undefined && mayUseProxy(configuredAgent)
  /** The attempt whose request http-proxy-middleware is creating, synchronously after its `start` event. */
  let starting: Attempt | undefined
  const notifyCreated = (upstream: ClientRequest) => {
    const attempt = starting
    starting = undefined
    attempt?.handleCreated(upstream)
  }
  const connectAttempts = (server: ProxyServer) => {
    if (isViaProxy) {
      server.on('start', (req) => {
        starting = attemptOf(req)
      })
    }
    server.on('proxyReq', (upstream, req) => attemptOf(req)?.handleRequest(upstream))
    server.on('proxyRes', (response, req) => attemptOf(req)?.handleResponse(response))
    server.on('error', (error, req) => attemptOf(req)?.handleError(error))
    server.on('econnreset', (error, req) => attemptOf(req)?.handleError(error))
  }
  const settings = {
    changeOrigin: true,
    ...proxyOptions,
    agent: isViaProxy ? withRequestHook(agent, notifyCreated) : agent,
    target: parsedTarget(origin),
    selfHandleResponse: true,
  }
  const server = setUpServer(settings)
  connectAttempts(server)
  return {
    handle: handlerOf(server, settings),
    origin,
    mayUseProxy: isViaProxy,
    closeIdle: () => {
      for (const socket of Object.values(ownAgent?.freeSockets ?? {}).flat()) socket?.destroy()
    },
    close: () => ownAgent?.destroy(),
  }
}

/** Returns the server of a new http-proxy-middleware, to which none of its own handlers listen. */
function setUpServer(settings: object): ProxyServer {
  const servers: ProxyServer[] = []
  const keep = (server: unknown) => servers.push(server as ProxyServer)
  createProxyMiddleware({ ...settings, ejectPlugins: true, plugins: [keep] })
  return servers[0]!
}

/**
 * Hands requests to the server at once. The middleware in front of it would parse each URL once more, and wait for
 * options that are not set.
 */
function handlerOf(server: ProxyServer, settings: object): Middleware {
  return (req, res, next) => {
    try {
      const sent = server.web(req, res, settings)
      if (sent instanceof Promise) sent.catch(next)
    } catch (error) {
      next(error)
    }
  }
}

/** Splits the target into parts, which both versions accept and need not parse again for each request. */
function parsedTarget(origin: string) {
  const { protocol, host, hostname, port } = new URL(origin)
  // A URL has brackets around an IPv6 address; connecting needs the address without them.
  return { protocol, host, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port }
}
