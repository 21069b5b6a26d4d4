/** The protocols that the app speaks. */
export type ProviderId = 'openai' | 'anthropic' | 'gemini'

/** Who answers the prompts of one protocol. */
export interface Provider {
  id: ProviderId
  /** Whose API its clients speak. */
  title: string
  /** The path at which the app mounts it. */
  route: string
  /** For the console and the page; holds nothing secret. */
  name: string
  /** True for the stub that runs inside this app. */
  local: boolean
  /** Base URL, as `aiProxy` takes it. */
  target: string
  auth?: { headers: Record<string, string> }
  model: string
  /** Prompts that the page offers. */
  examples: string[]
  close(): Promise<void>
}

interface KnownProvider {
  title: string
  route: string
  /** Base URL, unless the environment sets another. */
  target: string
  model: string
  /** The environment variables that choose. */
  variables: { key: string; target: string; model: string }
  /** The headers that carry the provider's key. */
  credentials(key: string): Record<string, string>
}

/** One provider for each protocol. */
export const knownProviders: Readonly<Record<ProviderId, KnownProvider>> = {
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
