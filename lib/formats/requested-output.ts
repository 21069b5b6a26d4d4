import type { CompleteFormat } from './complete.js'
import { FieldIndex } from './field-index.js'
import { valueAt } from './fields.js'
import { extraBody } from './other-servers.js'
import { outputLimitPaths } from './output-limits.js'

/** Fields by which a request asks for several answers at once: OpenAI's, Gemini's, and those of older completions. */
const counts = new FieldIndex([
  ['n'],
  ['best_of'],
  ['generationConfig', 'candidateCount'],
  ['generation_config', 'candidate_count'],
  ['num_generations'],
  [extraBody, 'n'],
])

/** Those by which as many answers are sent. */
const choices = new FieldIndex([
  ['n'],
  ['generationConfig', 'candidateCount'],
  ['generation_config', 'candidate_count'],
  [extraBody, 'n'],
])

const outputLimits = new FieldIndex(outputLimitPaths)

/**
 * Returns the most output tokens that a request allows, for all its answers together; `undefined` if it sets no limit. If
 * several fields set one, the highest counts: it depends on the server which of them it reads.
 *
 * @param url the provider's, without the query
 */
export function requestedOutput(body: unknown, format: CompleteFormat, url: string): number | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  const own = format.maxOutputTokensPath(body as Record<string, unknown>, url)
  let most = own.length === 0 ? 0 : largest(0, valueAt(body, ...own))
  for (const path of format.otherLimitPaths ?? []) most = largest(most, valueAt(body, ...path))
  most = outputLimits.valuesIn(body).reduce<number>(largest, most)
  return most === 0 ? undefined : most * requestedAnswers(body)
}

/** Returns how many answers a request asks for at once. */
export function requestedAnswers(body: unknown): number {
  return counts.valuesIn(body).reduce<number>(largest, 1)
}

/** Returns how many choices the answer to a request should have. */
export function requestedChoices(body: unknown): number {
  return choices.valuesIn(body).reduce<number>(largest, 1)
}

/** Returns the larger of a number and a value, if that is a number. */
function largest(most: number, value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > most ? value : most
}
