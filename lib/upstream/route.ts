import http, { type Agent, type ClientRequest } from 'node:http'
import https from 'node:https'

/** How requests reach the provider. */
export interface Route {
  /** Scheme, host and port of the target. */
  readonly origin: string
  /** Whether the agent may go through a proxy, and may rewrite the head of a request to do so. */
  readonly mayUseProxy: boolean
}

/** Returns whether an app's agent may go through a proxy. Node's own agents do so only if configured (`proxyEnv`). */
export function mayUseProxy(agent: Agent): boolean {
  const prototype: unknown = Object.getPrototypeOf(agent)
  const isPlain = prototype === http.Agent.prototype || prototype === https.Agent.prototype
  return !isPlain || (agent as { options?: { proxyEnv?: unknown } }).options?.proxyEnv !== undefined
}

/** The method through which Node's client passes each request to its agent. */
interface TakesRequests {
  addRequest(request: ClientRequest, ...options: unknown[]): void
}

/**
 * Wraps an agent to observe each request before the agent does. The agent itself, which may be the app's, is not
 * changed.
 */
export function withRequestHook(agent: Agent, onRequest: (request: ClientRequest) => void): Agent {
  const inner = agent as Agent & TakesRequests
  const addRequest: TakesRequests['addRequest'] = (request, ...options) => {
    onRequest(request)
    inner.addRequest(request, ...options)
  }
  return new Proxy(agent, {
    get: (target, key) => (key === 'addRequest' ? addRequest : (Reflect.get(target, key, target) as unknown)),
  })
}

const ABSOLUTE_FORM = /^[a-z][a-z\d+.-]*:\/\//i

/**
 * Restores the checked path, which http-proxy-middleware has changed: version 3 turns `http:/` into `http://` and re-encodes
 * the path. What was checked must be what is sent.
 *
 * An agent for a forward proxy prefixes an origin (RFC 9112, 3.2.2), now or when the head is written. It takes that
 * from the `host` header, which may be the client's. We make it ask the proxy for the target, whatever that header
 * says.
 */
export function pinPath(upstream: { path?: unknown }, path: string, route: Route): void {
  if (typeof upstream.path !== 'string') return
  if (!route.mayUseProxy) {
    if (upstream.path !== path) upstream.path = path
    return
  }
  const ours = (made: unknown): string => (ABSOLUTE_FORM.test(String(made)) ? route.origin + path : path)
  let current = ours(upstream.path)
  Object.defineProperty(upstream, 'path', {
    configurable: true,
    enumerable: true,
    get: () => current,
    set: (made: unknown) => {
      current = ours(made)
    },
  })
}
