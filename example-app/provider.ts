import { startLocalProvider } from './local-provider.js'

export type ProviderId = 'openai' | 'anthropic' | 'gemini'

/** Who answers the prompts of one format. */
export interface Provider {
  id: ProviderId
  /** Whose API its clients speak. */
  title: string
  /** Where the app mounts it. */
  route: string
  /** For the console and the page; holds nothing secret. */
  name: string
  /** True for the stand-in that runs inside this app. */
  local: boolean
  /** Base URL, as `aiProxy` takes it. */
  target: string
  auth?: { headers: Record<string, string> }
  model: string
  /** Prompts that the page offers. */
  examples: string[]
  close(): Promise<void>
}

interface Known {
  title: string
  route: string
  /** Base URL, where the environment names no other. */
  target: string
  model: string
  /** The environment variables that choose. */
  variables: { key: string; target: string; model: string }
  /** How the provider wants its key. */
  credentials(key: string): Record<string, string>
}

export const knownProviders: Readonly<Record<ProviderId, Known>> = {
  openai: {
    title: 'OpenAI',
    route: '/ai',
    target: 'https://api.openai.com',
    model: 'gpt-4.1-mini',
    variables: { key: 'OPENAI_API_KEY', target: 'AI_TARGET', model: 'AI_MODEL' },
    credentials: (key) => ({ authorization: `Bearer ${key}` }),
  },
  anthropic: {
    title: 'Anthropic',
    route: '/anthropic',
    target: 'https://api.anthropic.com',
    model: 'claude-haiku-4-5',
    variables: { key: 'ANTHROPIC_API_KEY', target: 'ANTHROPIC_TARGET', model: 'ANTHROPIC_MODEL' },
    credentials: (key) => ({ 'x-api-key': key }),
  },
  gemini: {
    title: 'Gemini',
    route: '/gemini',
    target: 'https://generativelanguage.googleapis.com',
    model: 'gemini-2.5-flash',
    variables: { key: 'GEMINI_API_KEY', target: 'GEMINI_TARGET', model: 'GEMINI_MODEL' },
    credentials: (key) => ({ 'x-goog-api-key': key }),
  },
}

/**
 * Chooses who answers for a format, by environment variables. For OpenAI's:
 *
 * - `OPENAI_API_KEY`: OpenAI, with this key.
 * - `AI_TARGET`: another base URL that speaks OpenAI's API, with the key if there is one, or without (a local vLLM).
 * - `AI_MODEL`: the model the page asks for.
 * - None of them: a stand-in on this machine.
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
    // The paths under the route begin with the version themselves, so a base URL as the SDKs want it loses its own.
    target: target.replace(/\/v1(beta)?\/?$/, ''),
    auth: key ? { headers: credentials(key) } : undefined,
    model: env[variables.model] || defaults.model,
    examples: ['Explain server-sent events in three sentences.', 'Tell me a long story about a lighthouse.'],
    async close() {},
  }
}

/** One for each format. */
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
