import type { Agent, AgentOptions } from 'node:http'
import type { SecureContextOptions } from 'node:tls'

/** What we use of `proxy-agent`, an optional peer: its own types need not be there. */
interface ProxyAgent extends Agent {
  /** The proxy for a URL by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in upper or lower case; '' for none. */
  getProxyForUrl(url: string): string | Promise<string>
}

interface ProxyAgentModule {
  /** The schemes of proxies that it can speak to. */
  proxies: Readonly<Record<string, unknown>>
  ProxyAgent: new (options: AgentOptions & SecureContextOptions) => ProxyAgent
}

/**
 * An agent that goes through the proxy which the environment names for the target.
 *
 * @param origin scheme, host and port of the target
 * @param tls options of `tls.connect()`
 * @param load loads the package, or says why that cannot be
 * @returns `undefined` if the environment names none for this target
 * @throws TypeError if the package is not installed, or cannot use the proxy
 */
export function agentFromEnvironment(
  origin: string,
  tls: SecureContextOptions | undefined,
  load: () => ProxyAgentModule | Error = loadInstalled,
): Agent | undefined {
  const loaded = load()
  if (loaded instanceof Error) {
    throw new TypeError('aiProxy: proxy.fromEnv needs a package that is not there: npm install proxy-agent', {
      cause: loaded,
    })
  }
  // Without TLS a proxy is asked by the whole URL, which proxy-agent does not write on connections that it has kept.
  const agent = new loaded.ProxyAgent({ ...tls, keepAlive: origin.startsWith('https:') })
  const proxy = agent.getProxyForUrl(origin)
  if (proxy === '') return undefined
  if (typeof proxy === 'string') checkProxy(proxy, origin, Object.keys(loaded.proxies))
  // The agent would ask for each request, by a `host` header that may be the client's.
  agent.getProxyForUrl = () => proxy
  return agent
}

/** The value may have a password in it: errors name the variable alone. */
function checkProxy(proxy: string, origin: string, schemes: readonly string[]): void {
  const url = URL.canParse(proxy) ? new URL(proxy) : undefined
  const isUsable = url && schemes.includes(url.protocol.slice(0, -1)) && isDecodable(url.username + url.password)
  if (isUsable) return
  throw new TypeError(
    `aiProxy: proxy.fromEnv takes a URL with http:, https: or socks5:, and ${findVariable(proxy, origin)} is none that it can use`,
  )
}

/** Credentials are percent-encoded in a URL; a lone `%` would fail each request. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** The environment variable that names the proxy. */
function findVariable(proxy: string, origin: string): string {
  const names = [`${new URL(origin).protocol.slice(0, -1)}_proxy`, 'all_proxy'].flatMap((name) => [
    name,
    name.toUpperCase(),
  ])
  const named = names.find((name) => {
    const value = process.env[name]
    // It need not have a scheme: the target's is put before it.
    return value && proxy.endsWith(value)
  })
  return named ?? 'what the environment names'
}

function loadInstalled(): ProxyAgentModule | Error {
  try {
    // Spelled out, and here: bundlers look for just this, and take a package that is not there for optional.
    return require('proxy-agent') as ProxyAgentModule
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
