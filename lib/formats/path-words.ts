import { builtInFormats } from './built-ins.js'
import { otherPrefixes } from './other-servers.js'

/**
 * Collections of an API. A base path has none of them: a path below a collection is about one of its members, whatever
 * its last segments are called (`threads/ID/messages`), or calls the model that the member is.
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

/**
 * Maximum number of segments of a base path. No known one has as many: Vertex AI's has seven or so
 * (`v1/projects/…/locations/…/publishers/…`), and Cloudflare's gateways have six.
 */
export const MAX_BASE_SEGMENTS = 12

/** Words that may precede the version in a path, or take its place: `/openai/v1/…`, `/api/v1/…`. */
export const versionPrefixes: readonly string[] = [
  ...new Set([...builtInFormats.flatMap(({ prefixes }) => prefixes), ...otherPrefixes]),
]

/** Words that may follow the version: `/v1beta/openai/…`. */
export const innerVersionPrefixes: readonly string[] = builtInFormats.flatMap(({ innerPrefixes }) => innerPrefixes)

// Google's (https://google.aip.dev/136): `models/x:generateContent`.
const CUSTOM_METHOD = /:(?:[a-z]+[A-Z]|(?:copy|explain|export|predict|upload)\b)/
// The names of OpenAI's fine-tuned models contain colons followed by ids in mixed case.
const FINE_TUNED = /^ft:/

/** Returns whether a segment of a path ends in a custom method. */
export function hasCustomMethod(segment: string): boolean {
  return CUSTOM_METHOD.test(segment) && !FINE_TUNED.test(segment)
}

/**
 * Returns whether a path is about a resource of AWS. Its name contains slashes, which AWS's SDKs encode and its servers
 * do not decode.
 */
export function isAboutResource(path: string): boolean {
  return /\/(?:model|guardrail)\/arn:/.test(path)
}

/** Segments followed by a name that people choose, which may contain spaces. */
const SPACED = new Set(['models', 'tunedModels', 'deployments', 'model'])

/** Returns whether a segment may contain spaces, given the segment before it. */
export function mayHaveSpaces(before: string | undefined): boolean {
  return before !== undefined && SPACED.has(before)
}

// Amazon's names: `arn:aws:bedrock:us-east-1:1:inference-profile/x`.
const ARN = /^arn:[^/]+(?:\/[^/]+)+$/
// Names of models such as `Qwen/Qwen2.5-7B-Instruct`, `accounts/fireworks/models/llama-v3`.
const MODEL_PATH = /^(?:[\w.-]+\/){1,3}[^/]+$/

/**
 * Returns whether a segment may contain slashes, which clients encode and servers do not decode; no other segment may.
 *
 * @param before the segment before it
 * @param isLast whether it is the last segment
 */
export function mayHaveSlashes(name: string, before: string | undefined, isLast: boolean): boolean {
  if (before === 'models') return isLast && MODEL_PATH.test(name)
  return (before === 'model' || before === 'guardrail') && !isLast && ARN.test(name)
}
