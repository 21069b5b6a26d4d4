/** `gen_ai.provider.name` by host: many providers use another one's protocol. */
const PROVIDERS: readonly [host: RegExp, provider: string][] = [
  [/\.openai\.azure\.com$/, 'azure.ai.openai'],
  [/\.ai\.azure\.com$/, 'azure.ai.inference'],
  [/^bedrock\b.*\.amazonaws\.com(\.cn)?$/, 'aws.bedrock'],
  [/\baiplatform\.googleapis\.com$/, 'gcp.vertex_ai'],
  [/^generativelanguage\.googleapis\.com$/, 'gcp.gemini'],
  [/\bapi\.openai\.com$/, 'openai'],
  [/^api\.anthropic\.com$/, 'anthropic'],
  [/^api\.cohere\.(com|ai)$/, 'cohere'],
  [/^api\.deepseek\.com$/, 'deepseek'],
  [/^api\.groq\.com$/, 'groq'],
  [/^api\.mistral\.ai$/, 'mistral_ai'],
  [/^api\.moonshot\.(ai|cn)$/, 'moonshot_ai'],
  [/^api\.perplexity\.ai$/, 'perplexity'],
  [/^api\.x\.ai$/, 'x_ai'],
  [/\.ml\.cloud\.ibm\.com$/, 'ibm.watsonx.ai'],
]

/** Returns the provider that a host name identifies; `undefined` if none does. */
export function providerAt(hostname: string): string | undefined {
  return PROVIDERS.find(([pattern]) => pattern.test(hostname))?.[1]
}
