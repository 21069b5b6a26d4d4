import type { CompleteFormat } from './complete.js'
import { valueAt } from './fields.js'
import { type FieldPath, outputLimitPaths } from './output-limits.js'

/** Fields by which a request asks for several answers at once: OpenAI's, Gemini's, and those of older completions. */
const COUNTS: readonly FieldPath[] = [
  ['n'],
  ['best_of'],
  ['generationConfig', 'candidateCount'],
  ['generation_config', 'candidate_count'],
  ['num_generations'],
  ['extra_body', 'n'],
]

/**
 * Returns the most output tokens that a request allows, for all its answers together; `undefined` if it sets no limit. If
 * several fields set one, the highest counts: it depends on the server which of them it reads.
 *
 * @param url the provider's, without the query
 */
export function requestedOutput(body: unknown, format: CompleteFormat, url: string): number | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const own = format.maxOutputTokensPath(body as Record<string, unknown>, url)
  const limits = [own, ...(format.otherLimitPaths ?? []), ...outputLimitPaths]
    .map((path) => (path.length === 0 ? undefined : valueAt(body, ...path)))
    .filter(isCount)
  if (limits.length === 0) return undefined
  return Math.max(...limits) * requestedAnswers(body)
}

/** Returns how many answers a request asks for at once. */
export function requestedAnswers(body: unknown): number {
  const counts = COUNTS.map((path) => valueAt(body, ...path)).filter(isCount)
  return Math.max(1, ...counts)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}
