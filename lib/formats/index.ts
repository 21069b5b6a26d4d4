import { anthropic } from './anthropic.js'
import type { Format } from './format.js'
import { openai } from './openai.js'

export type { FailureNotice, Format } from './format.js'

/** The formats and where they are spoken; the first that claims a path wins, OpenAI's is for all the rest. */
const formats: readonly [path: RegExp, format: Format][] = [[/^(?:\/v\d\w*)?\/messages(?:\/count_tokens)?$/, anthropic]]

/** The protocol that the client of a provider path speaks. */
export function formatFor(path: string): Format {
  return formats.find(([claimed]) => claimed.test(path))?.[1] ?? openai
}

const STREAM_BY_PATH = /(:stream\w+|-stream)$/
const STREAM_BY_DEFAULT = /\/api\/(chat|generate)$/

/**
 * Whether a request asks for its answer as a stream: by its path (Gemini, Bedrock), or by its body, where Ollama streams
 * unless told not to.
 *
 * @param path the provider's, prefix of the target and all
 * @param body the parsed JSON body, if there is one
 */
export function asksForStream(method: string, path: string, body: unknown): boolean {
  if (method === 'POST' && STREAM_BY_PATH.test(path)) return true
  const asked = typeof body === 'object' && body !== null && 'stream' in body ? body.stream : undefined
  // As lax as the laxest provider: `1` and `"true"` ask, too.
  return Boolean(asked) || (asked === undefined && method === 'POST' && STREAM_BY_DEFAULT.test(path))
}
