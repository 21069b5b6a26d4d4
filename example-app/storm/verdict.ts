import type { ProviderName } from './messages.js'

/** How a request went, as its client sees it. */
export interface Answered {
  /** The status of the answer; `undefined` if there was none. */
  status: number | undefined
  /** Whether the answer came to its end, rather than being cut off. */
  isComplete: boolean
  isStream: boolean
  /** What came of the body. */
  body: string
}

/** The provider that answered well, or else what the client got in its place. */
export type Verdict = ProviderName | 'error' | 'cutMidAnswer'

/**
 * Judges an answer. It is cut mid-answer if the client had got some of its words and does not get the rest, whether the
 * connection breaks or an error event says so. Whatever else is not an answer is an error.
 */
export function judge({ status, isComplete, isStream, body }: Answered): Verdict {
  if (status !== 200) return 'error'
  const hasEnd = isStream ? body.endsWith('data: [DONE]\n\n') : body.endsWith('}')
  const hasError = body.includes('"error"')
  if (isComplete && hasEnd && !hasError) return body.includes('"model":"first"') ? 'first' : 'second'
  return /"content":"[^"]/.test(body) ? 'cutMidAnswer' : 'error'
}
