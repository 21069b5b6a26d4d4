import { startLocalProvider } from './local-provider.js'

/** Who answers the prompts. */
export interface Provider {
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

/**
 * Chooses by environment variables:
 *
 * - `OPENAI_API_KEY`: OpenAI, with this key.
 * - `AI_TARGET`: another base URL that speaks OpenAI's API, with the key if there is one, or without (a local vLLM).
 * - `AI_MODEL`: the model the page asks for.
 * - None of them: a stand-in on this machine.
 */
export async function chooseProvider(env: NodeJS.ProcessEnv): Promise<Provider> {
  const key = env.OPENAI_API_KEY
  const target = env.AI_TARGET || (key ? 'https://api.openai.com' : undefined)
  if (!target) return startLocalProvider()

  return {
    name: hostOf(target),
    local: false,
    // The paths under /ai begin with /v1 themselves, so a base URL as the SDKs want it loses its own.
    target: target.replace(/\/v1\/?$/, ''),
    auth: key ? { headers: { authorization: `Bearer ${key}` } } : undefined,
    model: env.AI_MODEL || 'gpt-4.1-mini',
    examples: ['Explain server-sent events in three sentences.', 'Tell me a long story about a lighthouse.'],
    async close() {},
  }
}

function hostOf(target: string): string {
  const url = URL.canParse(target) ? new URL(target) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new Error('AI_TARGET must be a URL such as http://localhost:8000')
  }
  return url.host
}
