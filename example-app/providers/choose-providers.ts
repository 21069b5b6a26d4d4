import { startLocalProvider } from './local-provider.js'
import { knownProviders, type Provider, type ProviderId } from './provider.js'

/**
 * Chooses who answers for a protocol, by environment variables. For OpenAI's:
 *
 * - `OPENAI_API_KEY`: OpenAI, with this key.
 * - `AI_TARGET`: another base URL that speaks OpenAI's API, with the key if there is one, or without (a local vLLM).
 * - `AI_MODEL`: the model that the page asks for.
 * - None of them: a stub on this machine.
 *
 * @throws if a target is not an HTTP URL
 */
export async function chooseProvider(env: NodeJS.ProcessEnv, id: ProviderId = 'openai'): Promise<Provider> {
  const { title, route, variables, credentials, ...defaults } = knownProviders[id]
  const key = env[variables.key]
  const target = env[variables.target] || (key ? defaults.target : undefined)
  if (!target) return startLocalProvider({ id })

  return {
    id,
    title,
    route,
    name: hostOf(target, variables.target),
    local: false,
    // The paths under the route already begin with the version, which SDKs want at the end of a base URL.
    target: target.replace(/\/v1(beta)?\/?$/, ''),
    auth: key ? { headers: credentials(key) } : undefined,
    model: env[variables.model] || defaults.model,
    examples: ['Explain server-sent events in three sentences.', 'Tell me a long story about a lighthouse.'],
    async close() {},
  }
}

/** Chooses a provider for each protocol. */
export function chooseProviders(env: NodeJS.ProcessEnv): Promise<Provider[]> {
  return Promise.all((Object.keys(knownProviders) as ProviderId[]).map((id) => chooseProvider(env, id)))
}

function hostOf(target: string, variable: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Error(`${variable} must be a URL such as http://localhost:8000`)
  }
  return url.host
}
