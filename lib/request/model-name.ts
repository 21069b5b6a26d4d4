import { AiProxyError } from '../api/errors.js'
import { type CompleteFormat, modelSpanInPath, possibleModelInPath } from '../formats/index.js'
import { isObject } from '../json/json.js'
import { type WantedStrings, wantedStrings } from '../json/replace-strings.js'
import type { Span } from '../json/survey.js'
import { parseValue } from '../json/top-level-scanner.js'
import type { RequestBody } from './body.js'
import { type BodyBytes, byteLength, joinIfShort } from './body-bytes.js'
import { jsonText } from './json-text.js'
import { copiesIn, isCopy } from './model-copies.js'
import { modelOf } from './models.js'
import { type ProviderPath, providerPath } from './provider-path.js'
import { replaceInBody } from './replace-in-body.js'

/** The parts of a request that may name its model. */
export interface NamingParts {
  readonly path: ProviderPath
  readonly body: RequestBody
}

/** How a path is read. */
interface PathReading {
  /** Path prefix of the target, as `config.prefix`. */
  readonly prefix: string
  /** The protocol that the client uses. */
  readonly format: CompleteFormat
}

/**
 * Puts the provider's name of a model in place of the client's: in the path if that names the model, since providers
 * then ignore what the body says, and otherwise in the body. If both name it, both are changed, because some providers
 * compare them.
 *
 * @param isCancelled returns whether the request is over, so that a long body need not be read to its end
 * @returns the same objects if nothing changes
 * @throws AiProxyError as `withModelInPath` and `withModelInBody` do
 */
export async function withModel(
  { path, body }: NamingParts,
  name: string,
  { prefix, format }: PathReading,
  isCancelled?: () => boolean,
): Promise<NamingParts> {
  const named = possibleModelInPath(prefix + path.decoded, format)
  if (named === undefined) return { path, body: await withModelInBody(body, name, isCancelled) }
  const renamed = withModelInPath(path, prefix, format, name)
  if (renamed === path || !isObject(body.json)) return { path: renamed, body }
  const copyOf = (value: string) =>
    isCopy(value, named) ? value.slice(0, value.length - named.length) + name : undefined
  const model = modelOf(body.json)
  const jsonModel = (model !== undefined && copyOf(model)) || model
  return { path: renamed, body: await withStrings(body, jsonModel, copiesIn(format).all, copyOf, isCancelled) }
}

/**
 * Puts the provider's name of a model in place of the one that a JSON body has. All other bytes stay. A body that is no
 * JSON object, or names no model, stays as it is, and so does an upload: what streams through cannot be changed.
 *
 * The caller must have checked the body as `editRequest` does with `config.readsRequests`, so that the provider reads
 * the `model` that we read.
 *
 * @param name as the provider calls it
 * @param isCancelled returns whether the request is over, so that a long body need not be read to its end
 * @returns the same object if nothing changes
 * @throws AiProxyError `invalid_request` if the body has `model` twice; `unsupported_media_type` if it is compressed and
 *   was not decompressed
 */
export async function withModelInBody(
  body: RequestBody,
  name: string,
  isCancelled?: () => boolean,
): Promise<RequestBody> {
  const model = modelOf(body.json)
  if (model === undefined || model === name) return body
  const span = body.spans?.get('model')
  const text = jsonText(body)
  if (span?.isRepeated) throw repeated()
  if (span && text && parseValue(text, span.start, span.end) === model) return withSplice(body, text, span, name)
  let occurrences = 0
  const replace = () => {
    occurrences++
    return name
  }
  const changed = await withStrings(body, name, MODEL, replace, isCancelled)
  if (occurrences > 1) throw repeated()
  return changed
}

const MODEL = wantedStrings([['model']])

/** Providers disagree about which of two fields counts. */
function repeated(): AiProxyError {
  return new AiProxyError('invalid_request', 'The request body has "model" twice')
}

const SPACE = 0x20

/** Replaces the value at a known position. A long body stays in pieces, which share the memory of the client's bytes. */
function withSplice(body: RequestBody, text: Buffer, { start, end }: Span, name: string): RequestBody {
  let to = end
  // The span of a value includes the white space after it.
  while (to > start && text[to - 1]! <= SPACE) to--
  const value = Buffer.from(JSON.stringify(name))
  return withBytes(body, joinIfShort([text.subarray(0, start), value, text.subarray(to)]), name)
}

/**
 * Replaces strings in a JSON body.
 *
 * @param model what the top-level `model` becomes
 */
async function withStrings(
  body: RequestBody,
  model: string | undefined,
  wanted: WantedStrings,
  replace: (value: string) => string | undefined,
  isCancelled?: () => boolean,
): Promise<RequestBody> {
  const pieces = await replaceInBody(body, wanted, replace, isCancelled)
  return pieces ? withBytes(body, joinIfShort(pieces), model) : body
}

/** Replaces the bytes of a body. Of its parsed JSON only the top-level `model` is kept up to date. */
function withBytes(body: RequestBody, content: BodyBytes, model: string | undefined): RequestBody {
  const { 'content-encoding': _, ...headers } = body.headers
  headers['content-length'] = String(byteLength(content))
  const json = model !== undefined && isObject(body.json) ? { ...body.json, model } : body.json
  return { content, headers, json }
}

/**
 * Puts the provider's name of a model in place of the one that a path has. The rest of the path stays as the client
 * spelled it.
 *
 * @param prefix path prefix of the target. If it names the model, the path stays as it is
 * @param name as the provider calls it
 * @returns the same object if nothing changes
 * @throws AiProxyError `model_not_found` if the name cannot stand in this path: some of its characters, or slashes in a
 *   place in which no provider expects them
 */
export function withModelInPath(
  path: ProviderPath,
  prefix: string,
  format: CompleteFormat,
  name: string,
): ProviderPath {
  const whole = prefix + path.decoded
  const span = modelSpanInPath(whole, format)
  if (!span || span.start < prefix.length || possibleModelInPath(whole, format) === name) return path
  const start = spelledIndex(path.path, span.start - prefix.length)
  const end = spelledIndex(path.path, span.end - prefix.length)
  const spelled = encodeName(name, path.path.slice(start, end))
  const renamed = tryPath(path.path.slice(0, start) + spelled + path.path.slice(end))
  if (!renamed || possibleModelInPath(prefix + renamed.decoded, format) !== name) {
    throw new AiProxyError('model_not_found', `The model ${name} cannot be named in the path of this request`)
  }
  return { ...renamed, query: path.query }
}

function tryPath(path: string): ProviderPath | undefined {
  try {
    return providerPath(path)
  } catch {
    return undefined
  }
}

/**
 * Encodes a name for one segment of a path. A colon and an at sign need no encoding there; a client that encodes
 * colons all the same (AWS's SDKs) speaks to a provider that expects it.
 */
function encodeName(name: string, before: string): string {
  const encoded = encodeURIComponent(name).replaceAll('%40', '@')
  return /%3a/i.test(before) ? encoded : encoded.replaceAll('%3A', ':')
}

/** Returns the index in a path as it is spelled of an index in the same path decoded, where slashes stay `%2F`. */
function spelledIndex(spelled: string, decodedIndex: number): number {
  let at = 0
  let decoded = 0
  while (decoded < decodedIndex) {
    if (spelled[at] !== '%') {
      at++
      decoded++
      continue
    }
    const encoded = spelled.slice(at, at + 3 * utf8Length(Number.parseInt(spelled.slice(at + 1, at + 3), 16)))
    const character = decodeURIComponent(encoded)
    at += encoded.length
    decoded += character === '/' ? '%2F'.length : character.length
  }
  return at
}

/** Returns how many bytes a character has in UTF-8, given its first one. */
function utf8Length(first: number): number {
  if (first < 0xc0) return 1
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
}
