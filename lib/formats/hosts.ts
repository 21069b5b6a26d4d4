/** `gen_ai.provider.name` by host: many providers speak the protocol of another one. */
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

/** The provider that is known by a host's name; `undefined` if none is. */
export function providerAt(hostname: string): string | undefined {
  return PROVIDERS.find(([pattern]) => pattern.test(hostname))?.[1]
}
