import type { Agent, AgentOptions } from 'node:http'
import type { SecureContextOptions } from 'node:tls'

/** The part of `proxy-agent` that we use. It is an optional peer, so its own types may be missing. */
interface ProxyAgent extends Agent {
  /**
   * Returns the proxy for a URL from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in upper or lower case; '' for
   * none.
   */
  getProxyForUrl(url: string): string | Promise<string>
}

interface ProxyAgentModule {
  /** Supported schemes of proxies. */
  proxies: Readonly<Record<string, unknown>>
  ProxyAgent: new (options: AgentOptions & SecureContextOptions) => ProxyAgent
}

/**
 * Creates an agent that goes through the proxy that the environment names for the target.
 *
 * @param origin scheme, host and port of the target
 * @param tls options of `tls.connect()`
 * @param load loads the package, or returns why it cannot
 * @returns the agent; `undefined` if the environment names no proxy for this target
 * @throws TypeError if the package is not installed, or cannot use the proxy
 */
export function agentFromEnvironment(
  origin: string,
  tls: SecureContextOptions | undefined,
  load: () => ProxyAgentModule | Error = loadInstalled,
): Agent | undefined {
  const loaded = load()
  if (loaded instanceof Error) {
    throw new TypeError('aiProxy: proxy.fromEnv needs a package that is not installed: npm install proxy-agent', {
      cause: loaded,
    })
  }
  // Without TLS a proxy needs the whole URL in the request, which proxy-agent does not write on kept-alive connections.
  const agent = new loaded.ProxyAgent({ ...tls, keepAlive: origin.startsWith('https:') })
  const found = agent.getProxyForUrl(origin)
  const proxy = typeof found === 'string' ? withScheme(found, origin) : found
  if (proxy === '') return undefined
  if (typeof proxy === 'string') checkProxy(proxy, origin, Object.keys(loaded.proxies))
  // The agent would ask again for each request, by a `host` header that may be the client's.
  agent.getProxyForUrl = () => proxy
  return agent
}

/**
 * Returns a proxy's URL with the scheme that is meant if the variable has none: `http:`, as with curl and others.
 * proxy-agent has put the target's scheme in its place, and would ask a proxy for TLS that does not speak it.
 */
function withScheme(proxy: string, origin: string): string {
  const value = process.env[findVariable(proxy, origin)]
  return value && !value.includes('://') ? `http://${value}` : proxy
}

/** Checks a proxy's URL. It may contain a password, so errors name only the variable. */
function checkProxy(proxy: string, origin: string, schemes: readonly string[]): void {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined
  const isUsable = url && schemes.includes(url.protocol.slice(0, -1)) && isDecodable(url.username + url.password)
  if (isUsable) return
  throw new TypeError(
    `aiProxy: proxy.fromEnv takes the URL of a proxy (http:, https: or socks5:) from ${findVariable(proxy, origin)}, which has another value`,
  )
}

/** Returns whether credentials can be percent-decoded: a lone `%` would fail each request. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Returns the name of the environment variable that names the proxy. */
function findVariable(proxy: string, origin: string): string {
  const names = [`${new URL(origin).protocol.slice(0, -1)}_proxy`, 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ])
  const named = names.find((name) => {
    const value = process.env[name]
    // The value may lack a scheme; proxy-agent then adds the target's.
    return value && proxy.endsWith(value)
  })
  return named ?? 'what the environment names'
}

function loadInstalled(): ProxyAgentModule | Error {
  try {
    // A literal, within try: this is what bundlers recognise as an optional package.
    return require('proxy-agent') as ProxyAgentModule
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
