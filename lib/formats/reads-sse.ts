import type { FormatName } from './index.js'

/**
 * Whether a client that asks for a stream in this format reads server-sent events.
 *
 * @param url of the request: Gemini's clients ask for events by `alt=sse`, and get a JSON array otherwise
 */
export function readsSse(format: FormatName, url: string): boolean {
  if (format === 'gemini') return /[?&]alt=sse(?:&|$)/.test(url)
  // Version 1 has lines of JSON.
  if (format === 'cohere') return !/\/v1\/chat(?:\?|$)/.test(url)
  return !format.startsWith('bedrock-') && !format.startsWith('ollama-')
}
