import type { ClientRequest, IncomingMessage } from 'node:http'
import { createProxyMiddleware } from 'http-proxy-middleware'
import type { ProxyOptions } from '../options.js'
import { createAgent } from './agent.js'
import { attemptOf, type Middleware } from './attempt.js'
import { agentFromEnvironment } from './environment-proxy.js'

/** The HTTP client of a middleware. */
export interface UpstreamProxy {
  readonly handle: Middleware
  /** Closes the idle connections of its own agent. */
  close(): void
}

/** What http-proxy-middleware emits on its server, in versions 3 and 4 alike. */
interface ProxyEvents {
  on(event: 'proxyReq', listener: (upstream: ClientRequest, req: object) => void): unknown
  on(event: 'proxyRes', listener: (response: IncomingMessage, req: object) => void): unknown
  on(event: 'error' | 'econnreset', listener: (error: Error, req: object) => void): unknown
}

/**
 * http-proxy-middleware, without its own error handling and logging: each of its events goes to the attempt it is about.
 *
 * @param origin scheme, host and port of the target
 * @param maxSockets connections of its own agent, at most
 */
export function createUpstreamProxy(origin: string, options: ProxyOptions, maxSockets: number): UpstreamProxy {
  const { ssl, fromEnv, ...handedOn } = options
  // http-proxy-middleware 3 loses most TLS options on their way to the connection; an agent's own arrive in 3 and 4.
  const createOwn = () =>
    (fromEnv ? agentFromEnvironment(origin, ssl) : undefined) ?? createAgent(new URL(origin).protocol, ssl, maxSockets)
  const ownAgent = options.agent ? undefined : createOwn()
  const connectAttempts = (server: ProxyEvents) => {
    server.on('proxyReq', (upstream, req) => attemptOf(req)?.opened(upstream))
    server.on('proxyRes', (response, req) => attemptOf(req)?.answered(response))
    server.on('error', (error, req) => attemptOf(req)?.failed(error))
    server.on('econnreset', (error, req) => attemptOf(req)?.failed(error))
  }
  const handle = createProxyMiddleware({
    changeOrigin: true,
    ...handedOn,
    agent: options.agent ?? ownAgent,
    target: parsedTarget(origin),
    selfHandleResponse: true,
    ejectPlugins: true,
    plugins: [connectAttempts as never],
  })
  return {
    handle: handle as Middleware,
    close: () => ownAgent?.destroy(),
  }
}

/** The target in parts, as both versions understand them and need not parse anew for each request. */
function parsedTarget(origin: string) {
  const { protocol, host, hostname, port } = new URL(origin)
  // A URL has an IPv6 address in brackets; to connect it must have none.
  return { protocol, host, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port }
}
