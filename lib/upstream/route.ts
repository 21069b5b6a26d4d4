import http, { type Agent, type ClientRequest } from 'node:http'
import https from 'node:https'

/** How requests get to the provider. */
export interface Route {
  /** Scheme, host and port of the target. */
  readonly origin: string
  /** The agent may go through a proxy, and may write the head of a request anew to do so. */
  readonly mayUseProxy: boolean
}

/** Whether an agent of the app's may go through a proxy: Node's own do only where they are told to (`proxyEnv`). */
export function mayUseProxy(agent: Agent): boolean {
  const prototype: unknown = Object.getPrototypeOf(agent)
  const isPlain = prototype === http.Agent.prototype || prototype === https.Agent.prototype
  return !isPlain || (agent as { options?: { proxyEnv?: unknown } }).options?.proxyEnv !== undefined
}

/** Node's client gives each request to its agent by this. */
interface TakesRequests {
  addRequest(request: ClientRequest, ...options: unknown[]): void
}

/** The same agent, for us to see each request before it does. The agent itself, which may be the app's, stays as it is. */
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
 * Puts our path in the place of the one that http-proxy-middleware has made of it: version 3 turns `http:/` into `http://`
 * and encodes anew. What was checked is what is sent.
 *
 * An agent for a forward proxy puts an origin before it (RFC 9112, 3.2.2), now or when the head is written. It takes that
 * from the `host` header, which may be the client's; the proxy is asked for the target, whatever that header says.
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
