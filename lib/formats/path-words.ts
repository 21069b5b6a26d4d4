import { builtInFormats } from './built-ins.js'
import { otherPrefixes } from './other-servers.js'

/**
 * Collections of an API. A base path has none of them: what stands below a collection is about one of its members, whatever
 * its last segments are called (`threads/ID/messages`), or for the model that the collection's member is.
 */
export const collections: ReadonlySet<string> = new Set([
  ...[
    'files',
    'uploads',
    'batches',
    'fine_tuning',
    'fine-tuning',
    'fine-tunes',
    'vector_stores',
    'threads',
    'assistants',
  ],
  ...['videos', 'realtime', 'evals', 'containers', 'skills', 'organization', 'organizations', 'admin', 'chat'],
  ...['completions', 'embeddings', 'responses', 'messages', 'conversations', 'interactions', 'images', 'audio'],
  ...['model', 'models', 'tunedmodels', 'engines', 'deployments', 'endpoints', 'serving-endpoints', 'cachedcontents'],
])

/** What may stand before the version in a path, or in its place: `/openai/v1/…`, `/api/v1/…`. */
export const versionPrefixes: readonly string[] = [
  ...new Set([...builtInFormats.flatMap(({ prefixes }) => prefixes), ...otherPrefixes]),
]

/** What may stand behind the version: `/v1beta/openai/…`. */
export const innerVersionPrefixes: readonly string[] = builtInFormats.flatMap(({ innerPrefixes }) => innerPrefixes)

// Google's (https://google.aip.dev/136): `models/x:generateContent`.
const CUSTOM_METHOD = /:(?:[a-z]+[A-Z]|(?:copy|explain|export|predict|upload)\b)/
// OpenAI's fine-tuned models have colons, and ids in mixed case behind them.
const FINE_TUNED = /^ft:/

/** Whether a segment of a path has a custom method behind its name. */
export function hasCustomMethod(segment: string): boolean {
  return CUSTOM_METHOD.test(segment) && !FINE_TUNED.test(segment)
}

/** Whether a path is about a resource of AWS, whose name has slashes that its SDKs encode and its servers leave so. */
export function isAboutResource(path: string): boolean {
  return /\/(?:model|guardrail)\/arn:/.test(path)
}

/** What follows these is a name that people choose, and they use spaces. */
const SPACED = new Set(['models', 'tunedModels', 'deployments', 'model'])

/** Whether a segment that follows another one may have spaces in it. */
export function mayHaveSpaces(before: string | undefined): boolean {
  return before !== undefined && SPACED.has(before)
}

// Amazon's names: `arn:aws:bedrock:us-east-1:1:inference-profile/x`.
const ARN = /^arn:[^/]+(?:\/[^/]+)+$/
// Names of models as `Qwen/Qwen2.5-7B-Instruct`, `accounts/fireworks/models/llama-v3`.
const MODEL_PATH = /^(?:[\w.-]+\/){1,3}[^/]+$/

/**
 * Whether a segment may have slashes, which clients encode and servers leave so; nowhere else may one.
 *
 * @param before the segment before it
 * @param isLast nothing follows it
 */
export function mayHaveSlashes(name: string, before: string | undefined, isLast: boolean): boolean {
  if (before === 'models') return isLast && MODEL_PATH.test(name)
  return (before === 'model' || before === 'guardrail') && !isLast && ARN.test(name)
}
