import { memoize } from '../util/memoize.js'
import type { BuiltInFormat } from './built-in.js'
import { builtInFormats } from './built-ins.js'
import type { CompleteFormat } from './complete.js'
import { guessedChat } from './openai-chat.js'
import { jsonAlonePaths, otherSilentPaths } from './other-servers.js'

/**
 * The protocol that the client of a provider path speaks; OpenAI's chat completions where no other claims it.
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function detectFormat(path: string): BuiltInFormat {
  return claimOf(path) ?? guessedChat
}

function claimOf(path: string): BuiltInFormat | undefined {
  return claimantOf(path).format
}

/** Remembered: it is asked several times for each request, and there are few paths. */
const claimantOf = memoize((path) => ({
  format: builtInFormats.find(({ paths }) => paths.some((claimed) => claimed.test(path))),
}))

/** Whether a format claims the path, so that what is spoken there is known. */
export function isClaimed(path: string): boolean {
  return claimOf(path) !== undefined
}

/**
 * Whether a request has a model write text, so that its answer should tell how much: other requests tell nothing, and nothing
 * is missing there.
 *
 * @param path percent-decoded, prefix of the target and all
 * @param format that is spoken there
 */
export function generatesAt(method: string, path: string, format?: CompleteFormat): boolean {
  const claimant = claimOf(path)
  const tellsUsage = claimant ? claimant.tellsUsage : format?.isCustom === true
  return method === 'POST' && tellsUsage && canGenerate(path, format)
}

const STREAM_BY_PATH = anyOf(builtInFormats.flatMap(({ streamPaths }) => streamPaths))
const STREAM_BY_DEFAULT = anyOf(builtInFormats.flatMap(({ streamsByDefault }) => streamsByDefault))

/**
 * Whether a request asks for its answer as a stream: by its path, by its body, or by its query, if it asks for an answer
 * that was begun before (`GET responses/ID?stream=true`). What any format says of paths holds for all of them: gateways
 * mix them.
 *
 * @param path the provider's, prefix of the target and all
 * @param body the parsed JSON body, if there is one
 * @param query of the request, from the `?` on or without it
 * @param format that is spoken there
 */
export function asksForStream(
  method: string,
  path: string,
  body: unknown,
  query = '',
  format?: CompleteFormat,
): boolean {
  if (method === 'GET') return isTrue(new URLSearchParams(query).get('stream'))
  if (method === 'POST' && (STREAM_BY_PATH.test(path) || matches(format?.streamPaths, path))) return true
  const asked = typeof body === 'object' && body !== null && 'stream' in body ? body.stream : undefined
  // As lax as the laxest provider: `1` and `"true"` ask, too.
  if (asked !== undefined || method !== 'POST') return Boolean(asked)
  return STREAM_BY_DEFAULT.test(path) || matches(format?.streamsByDefault, path)
}

/** As providers read a flag in a query: Python's frameworks take `1` and `True`, too. */
function isTrue(flag: string | null): boolean {
  return flag === '1' || flag?.toLowerCase() === 'true'
}

const SILENT = anyOf([...builtInFormats.flatMap(({ silentPaths }) => silentPaths), ...otherSilentPaths])

/**
 * Whether what a path asks for can generate text of a length that the request may limit: counting tokens and embedding
 * cannot, and providers refuse a limit in such a request.
 *
 * @param path percent-decoded, prefix of the target and all
 * @param format that is spoken there
 */
export function canGenerate(path: string, format?: CompleteFormat): boolean {
  return !SILENT.test(path) && !matches(format?.silentPaths, path)
}

/**
 * Whether a request needs no model: it stops or deletes what a model has written, or looks at text alone (a guardrail).
 *
 * @param path percent-decoded, prefix of the target and all
 */
export function runsNoModel(method: string, path: string): boolean {
  return MODEL_FREE.some((each) => each.method === method && each.path.test(path))
}

const MODEL_FREE = builtInFormats.flatMap(({ modelFreeRequests }) => modelFreeRequests)

const MODELS = builtInFormats.flatMap(({ modelPaths }) => modelPaths)
const POSSIBLE_MODELS = [...new Set(builtInFormats.flatMap(({ possibleModelPaths }) => possibleModelPaths))]
const NO_MODEL = builtInFormats.flatMap(({ modelFreePaths }) => modelFreePaths)

/**
 * The model that a path names, percent-decoded; `undefined` if it names none. Where a model may stand in a path is held
 * against every path, whatever is spoken there: it must not be overlooked.
 *
 * @param format that is spoken there
 */
export function modelInPath(path: string, format?: CompleteFormat): string | undefined {
  if (matches(NO_MODEL, path)) return undefined
  return firstNamed(format?.modelPaths ?? NONE, path) ?? firstNamed(MODELS, path)
}

/**
 * The same if it must not be overlooked: also for a verb that is not known, and with a slash at the end. Some paths that
 * name no model are taken for one that does (`models/llama3:latest`).
 */
export function modelPerhapsInPath(path: string, format?: CompleteFormat): string | undefined {
  if (matches(NO_MODEL, path)) return undefined
  return modelInPath(path, format) ?? firstNamed(POSSIBLE_MODELS, path)
}

function firstNamed(patterns: readonly RegExp[], path: string): string | undefined {
  for (const pattern of patterns) {
    const named = pattern.exec(path)?.[1]
    if (named !== undefined) return decoded(named)
  }
  return undefined
}

/** Whether a path takes forms and files. */
export function takesUploads(path: string): boolean {
  return matches(UPLOADS, path)
}

const UPLOADS = builtInFormats.flatMap(({ uploadPaths }) => uploadPaths)

/** Whether a path that no format claims takes JSON alone. */
export function takesJsonAlone(path: string): boolean {
  return matches(jsonAlonePaths, path)
}

const NONE: readonly RegExp[] = []

function matches(patterns: readonly RegExp[] = NONE, path: string): boolean {
  for (const pattern of patterns) if (pattern.test(path)) return true
  return false
}

/** One pattern in the place of several without flags. */
function anyOf(patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
