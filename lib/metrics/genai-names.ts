import type { FormatName } from '../formats/format.js'

/**
 * Names of the OpenTelemetry semantic conventions for generative AI, version 1.41.0, the last one that
 * https://github.com/open-telemetry/semantic-conventions has of them. Their successors are drafts so far, and rename some:
 * https://github.com/open-telemetry/semantic-conventions-genai
 */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.41.0'

/** `gen_ai.operation.name` by the end of a path, whatever the format; `undefined` where no model generates anything. */
const operationsByPath: readonly [path: RegExp, operation: string | undefined][] = [
  [/\/embed(dings)?$|:(batch)?embedContents?$/i, 'embeddings'],
  [/\/(count_tokens|input_tokens|tokenize|detokenize|moderations|rerank|classify|cancel)$|:countTokens$/, undefined],
  [/\/(images|audio|videos)\//, 'generate_content'],
]

const operationsByFormat: Readonly<Record<FormatName, string>> = {
  'openai-chat': 'chat',
  'openai-completions': 'text_completion',
  'openai-responses': 'chat',
  'openai-embeddings': 'embeddings',
  'openai-media': 'generate_content',
  anthropic: 'chat',
  gemini: 'generate_content',
  'gemini-interactions': 'generate_content',
  'bedrock-converse': 'chat',
  'bedrock-invoke': 'chat',
  'ollama-chat': 'chat',
  'ollama-generate': 'text_completion',
  cohere: 'chat',
  tgi: 'text_completion',
}

/**
 * The operation (`gen_ai.operation.name`) that a request is; `undefined` where it is none: lists of models, files.
 *
 * @param path without the query
 */
export function operationOf(
  format: string,
  { method, path, model }: { method: string; path: string; model: string | undefined },
): string | undefined {
  if (method !== 'POST') return undefined
  const byPath = operationsByPath.find(([pattern]) => pattern.test(path))
  if (byPath) return byPath[1]
  // The format of paths that no other format claims: what names no model there is an upload, a batch, a thread.
  if (format === 'openai-chat' && model === undefined && !path.endsWith('/chat/completions')) return undefined
  if (format === 'bedrock-invoke' && /\bembed/.test(model ?? '')) return 'embeddings'
  return (operationsByFormat as Readonly<Record<string, string>>)[format]
}

/** `gen_ai.provider.name` by host: many providers speak OpenAI's protocol. */
const providersByHost: readonly [host: RegExp, provider: string][] = [
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

/** `gen_ai.provider.name` by format, for servers of one's own. Ollama has no name in the conventions. */
const providersByFormat: readonly [start: string, provider: string][] = [
  ['openai', 'openai'],
  ['anthropic', 'anthropic'],
  ['gemini', 'gcp.gemini'],
  ['bedrock', 'aws.bedrock'],
  ['ollama', 'ollama'],
  ['cohere', 'cohere'],
]

/** The provider (`gen_ai.provider.name`), to the best of our knowledge: who is known by that host, or has that format. */
export function providerOf(format: string, hostname: string | undefined): string {
  const byHost = hostname === undefined ? undefined : providersByHost.find(([pattern]) => pattern.test(hostname))
  return (byHost ?? providersByFormat.find(([start]) => format.startsWith(start)))?.[1] ?? format
}

/** `server.address` and `server.port` of a host with or without a port. */
export function serverOf(host: string): { address: string; port: number | undefined } {
  const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(host) ?? []
  return { address: bracketed ?? name ?? host, port: port === undefined ? undefined : Number(port) }
}
