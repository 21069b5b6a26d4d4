import { memoize } from '../util/memoize.js'
import type { BuiltInFormat } from './built-in.js'
import { builtInFormats } from './built-ins.js'
import type { CompleteFormat } from './complete.js'
import { valueAt } from './fields.js'
import { guessedChat } from './openai-chat.js'
import { jsonAlonePaths, otherSilentPaths } from './other-servers.js'

/**
 * Returns the format of a provider path: OpenAI's chat completions if no format claims the path.
 *
 * @param path percent-decoded, including the target's prefix
 */
export function detectFormat(path: string): BuiltInFormat {
  return claimOf(path) ?? guessedChat
}

function claimOf(path: string): BuiltInFormat | undefined {
  return claimantOf(path) ?? undefined
}

// What the patterns of the built-in formats say about a path is memoized: each request asks several times, and there are
// few paths. Each question has its own memory: a client may fill all of it with paths that do not exist, and then a
// request should cost only the answers that it needs.

const claimantOf = memoize((path) => {
  for (const spelling of spellingsOf(path)) {
    const claimant = builtInFormats.find(({ paths }) => matches(paths, spelling))
    if (claimant) return claimant
  }
  return null
})
const namesNoModel = memoize((path) => matches(NO_MODEL, path))
const modelAt = memoize((path) => firstMatch(MODELS, path) ?? null)
const possibleModelAt = memoize((path) => firstMatch(POSSIBLE_MODELS, withoutSlash(path)) ?? null)
const streamsAt = memoize((path) => matches(STREAM_PATHS, path))
const streamsByDefaultAt = memoize((path) => matches(STREAMS_BY_DEFAULT, path))
const isSilentAt = memoize((path) => matches(SILENT_PATHS, path))
const modelFreeMethodsAt = memoize((path) =>
  MODEL_FREE.filter((each) => each.path.test(path)).map(({ method }) => method),
)

/**
 * Returns a path, and the path as it is usually spelled. Few servers take one in another case, or with a slash at its
 * end, but those that do read the same protocol there.
 */
export function spellingsOf(path: string): readonly string[] {
  const plain = withoutSlash(path)
  return [path, plain, plain.toLowerCase()]
}

function withoutSlash(path: string): string {
  return path.replace(/\/$/, '')
}

/** Returns whether a format claims the path, so that its protocol is known. */
export function isClaimed(path: string): boolean {
  return claimOf(path) !== undefined
}

/**
 * Returns whether a request makes a model write text, so that its answer should report usage. Other answers report
 * none, and nothing is missing there.
 *
 * @param path percent-decoded, including the target's prefix
 * @param format of the path
 */
export function generatesAt(method: string, path: string, format?: CompleteFormat): boolean {
  const claimant = claimOf(path)
  const reportsUsage = claimant ? claimant.reportsUsage : format?.isCustom === true
  return method === 'POST' && reportsUsage && canGenerate(path, format)
}

/**
 * Returns whether a request is known to be answered in JSON, or with a stream: by something, and never with a page.
 * Sound and transcriptions come in formats of their own, and what an app's own format takes is not known. Nor is what
 * comes at a path that no format claims, whatever format the app names for it.
 *
 * @param path percent-decoded, including the target's prefix
 * @param format of the path
 */
export function answersInJson(method: string, path: string, { isCustom }: CompleteFormat): boolean {
  const claimant = method === 'POST' && !isCustom ? claimOf(path) : undefined
  return claimant !== undefined && !AUDIO.test(path) && !runsNoModel(method, path)
}

/**
 * Returns whether a request makes a model answer: with text, or with vectors, an order or pictures.
 *
 * @param path percent-decoded, including the target's prefix
 * @param format of the path
 */
export function asksModelAt(method: string, path: string, format: CompleteFormat): boolean {
  return generatesAt(method, path, format) || (OTHER_ANSWERS.test(path) && answersInJson(method, path, format))
}

const OTHER_ANSWERS = /(?:\/(?:embed|embeddings|rerank)|:embedContent|\/images\/\w+)\/?$/i

/**
 * Returns whether a request asks for the state of something that has errors of its own: a job, a file, an answer that is kept.
 *
 * @param path percent-decoded, including the target's prefix
 * @param isStream whether it asks for a stream
 */
export function asksForState(method: string, path: string, { isCustom }: CompleteFormat, isStream: boolean): boolean {
  if (isCustom) return false
  if (method === 'POST') return STATE.test(path) || runsNoModel(method, path)
  // The stream of an answer that is kept is like that of a new one.
  return !(isStream && isClaimed(path))
}

/**
 * Returns whether a request downloads a file, which may hold anything: half of a JSON text, or the errors of a batch.
 *
 * @param path percent-decoded, including the target's prefix
 */
export function downloadsFile(method: string, path: string): boolean {
  return method === 'GET' && /\/files\/[^/]+\/content\/?$/.test(path)
}

/** Requests that change a state or report one, although they are not called so: `fine_tuning/jobs/ID/cancel`. */
const STATE = /\/(?:cancel|pause|resume)\/?$|:(?:cancel|fetchPredictOperation)$/

const AUDIO = /\/audio\/\w+\/?$/

const STREAM_PATHS = builtInFormats.flatMap(({ streamPaths }) => streamPaths)
const STREAMS_BY_DEFAULT = builtInFormats.flatMap(({ streamsByDefault }) => streamsByDefault)

/** https://platform.openai.com/docs/api-reference/audio/createSpeech#audio-createspeech-stream_format */
const SPEECH = /\/audio\/speech\/?$/

/**
 * Returns whether a request asks for a stream: by its path, by its body, or by its query if it asks for an answer that
 * was started earlier (`GET responses/ID?stream=true`). The path patterns of every format apply to every path, because
 * gateways mix them.
 *
 * @param path the provider's, including the target's prefix
 * @param body the parsed JSON body, if there is one
 * @param query of the request, with or without its `?`
 * @param format of the path
 */
export function asksForStream(
  method: string,
  path: string,
  body: unknown,
  query = '',
  format?: CompleteFormat,
): boolean {
  if (method === 'GET') return isTrue(new URLSearchParams(query).get('stream'))
  if (method === 'POST' && (streamsAt(path) || matches(ownOf(format)?.streamPaths, path))) return true
  if (valueAt(body, 'stream_format') === 'sse' && SPEECH.test(path)) return method === 'POST'
  const asked = typeof body === 'object' && body !== null && 'stream' in body ? body.stream : undefined
  // As lenient as the most lenient provider: `1` and `"true"` ask for a stream, too.
  if (asked !== undefined || method !== 'POST') return Boolean(asked)
  return streamsByDefaultAt(path) || matches(ownOf(format)?.streamsByDefault, path)
}

/** Reads a flag in a query as providers do: Python's frameworks accept `1` and `True`, too. */
function isTrue(flag: string | null): boolean {
  return flag === '1' || flag?.toLowerCase() === 'true'
}

const SILENT_PATHS = [...builtInFormats.flatMap(({ silentPaths }) => silentPaths), ...otherSilentPaths]

/**
 * Returns whether a path can generate text whose length the request may limit. Counting tokens and embedding cannot,
 * and providers reject a limit there.
 *
 * @param path percent-decoded, including the target's prefix
 * @param format of the path
 */
export function canGenerate(path: string, format?: CompleteFormat): boolean {
  return !isSilentAt(path) && !matches(ownOf(format)?.silentPaths, path)
}

/**
 * Returns whether a request needs no model: it cancels or deletes a model's answer, or only checks a text (a
 * guardrail).
 *
 * @param path percent-decoded, including the target's prefix
 */
export function runsNoModel(method: string, path: string): boolean {
  return modelFreeMethodsAt(path).includes(method)
}

const MODEL_FREE = builtInFormats.flatMap(({ modelFreeRequests }) => modelFreeRequests)

const MODELS = builtInFormats.flatMap(({ modelPaths }) => modelPaths)
const NEARLY_MODELS = [...new Set(builtInFormats.flatMap(({ possibleModelPaths }) => possibleModelPaths))]
// Azure reads its paths in any case.
const POSSIBLE_MODELS = [
  ...NEARLY_MODELS,
  ...[...MODELS, ...NEARLY_MODELS].map(({ source }) => new RegExp(source, 'i')),
]
const NO_MODEL = builtInFormats.flatMap(({ modelFreePaths }) => modelFreePaths)

/**
 * Returns the model that a path names, percent-decoded; `undefined` if it names none. The patterns of every format are
 * tried, so that no model is overlooked.
 *
 * @param format of the path
 */
export function modelInPath(path: string, format?: CompleteFormat): string | undefined {
  if (namesNoModel(path)) return undefined
  return firstMatch(format?.modelPaths ?? NONE, path) ?? modelAt(path) ?? undefined
}

/**
 * Like `modelInPath`, for callers that must not overlook a model: also finds it before an unknown verb or a slash at
 * the end, and in a path in another case. It takes some paths without a model for paths with one
 * (`models/llama3:latest`).
 */
export function possibleModelInPath(path: string, format?: CompleteFormat): string | undefined {
  if (namesNoModel(path)) return undefined
  return modelInPath(path, format) ?? possibleModelAt(path) ?? undefined
}

/**
 * Returns where a path names its model, for callers that put another name there: start and end of the name, as
 * `possibleModelInPath` finds it; `undefined` if the path names none.
 */
export function modelSpanInPath(
  path: string,
  format?: CompleteFormat,
): { readonly start: number; readonly end: number } | undefined {
  if (matches(NO_MODEL, path)) return undefined
  return firstSpan([...(format?.modelPaths ?? NONE), ...MODELS], path) ?? firstSpan(POSSIBLE_MODELS, withoutSlash(path))
}

function firstSpan(
  patterns: readonly RegExp[],
  path: string,
): { readonly start: number; readonly end: number } | undefined {
  for (const pattern of patterns) {
    const span = withIndices(pattern).exec(path)?.indices?.[1]
    if (span) return { start: span[0], end: span[1] }
  }
  return undefined
}

/** Returns whether it is the base path of a target that names the model, which clients then cannot choose. */
export function isModelInPrefix(prefix: string, path: string, format: CompleteFormat): boolean {
  const span = prefix === '' ? undefined : modelSpanInPath(path, format)
  return span !== undefined && span.start < prefix.length
}

/** Returns a pattern that reports where its groups match. They are few, and compiled once. */
function withIndices(pattern: RegExp): RegExp {
  let indexed = indexedPatterns.get(pattern)
  if (!indexed) {
    indexed = new RegExp(pattern.source, `${pattern.flags.replace('d', '')}d`)
    indexedPatterns.set(pattern, indexed)
  }
  return indexed
}

const indexedPatterns = new WeakMap<RegExp, RegExp>()

function firstMatch(patterns: readonly RegExp[], path: string): string | undefined {
  for (const pattern of patterns) {
    const named = pattern.exec(path)?.[1]
    if (named !== undefined) return tryDecode(named)
  }
  return undefined
}

/** Returns whether a path accepts forms and files. */
export function takesUploads(path: string): boolean {
  return matches(UPLOADS, path)
}

const UPLOADS = builtInFormats.flatMap(({ uploadPaths }) => uploadPaths)

/** Returns whether a path that no format claims accepts only JSON. */
export function takesJsonAlone(path: string): boolean {
  return matches(jsonAlonePaths, path)
}

const NONE: readonly RegExp[] = []

function matches(patterns: readonly RegExp[] = NONE, path: string): boolean {
  for (const pattern of patterns) if (pattern.test(path)) return true
  return false
}

/** Returns an app's own format, whose patterns are not among those of the built-in ones. */
function ownOf(format: CompleteFormat | undefined): CompleteFormat | undefined {
  return format?.isCustom ? format : undefined
}

function tryDecode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
