import { AiProxyError } from '../api/errors.js'
import type { FieldPath } from '../formats/index.js'
import { JsonNesting } from '../json/nesting.js'
import { EACH } from '../json/replace-strings.js'
import { JsonSurvey, MAX_NAME_BYTES, type Span } from '../json/survey.js'

/**
 * Rejects a JSON object in which the provider may read a field differently than we do. If a name is repeated, each
 * reader decides which field counts, and some read `Model` as `model` (Go's, as in Ollama), or `safety_settings` as
 * `safetySettings` (Google's). The provider must read exactly what we check and change. At the top level, no name may
 * be repeated in any spelling; further in, only the names that matter are checked.
 *
 * @param paths the fields that matter, each with the names of the objects around it; `EACH` stands for every object of
 *   a list
 * @param readsBothCases whether the provider reads `a_b` as `aB`
 * @param spans positions of all its fields, if known
 * @throws AiProxyError `invalid_request`
 */
export function rejectAmbiguousFields(
  bytes: Buffer,
  paths: readonly FieldPath[],
  readsBothCases = false,
  spans: ReadonlyMap<string, Span> | undefined = fieldsOf(bytes),
): void {
  checkFields(bytes, fieldsThatMatter(paths, readsBothCases), readsBothCases, spans, [])
}

/** Fields of an object that matter. */
interface Fields {
  /** By name; what matters within each, if anything does. */
  readonly inner: ReadonlyMap<string, Fields | undefined>
  /** Their names as a reader may confuse them. */
  readonly alike: ReadonlySet<string>
  /** Longer names cannot be confused with one of them. */
  readonly maxLength: number
}

/** Paths that are the same for many requests. */
const known = { exact: new WeakMap<object, Fields>(), both: new WeakMap<object, Fields>() }

function fieldsThatMatter(paths: readonly FieldPath[], readsBothCases: boolean): Fields {
  const cache = readsBothCases ? known.both : known.exact
  const before = cache.get(paths)
  if (before) return before
  const inner = new Map<string, Fields | undefined>()
  for (const name of new Set(paths.flatMap(([first]) => first ?? []))) {
    const below = paths.filter((path) => path[0] === name && path.length > 1).map((path) => path.slice(1))
    inner.set(name, below.length > 0 ? fieldsThatMatter(below, readsBothCases) : undefined)
  }
  const names = [...inner.keys()]
  const fields: Fields = {
    inner,
    alike: new Set(names.map((name) => plain(name, readsBothCases))),
    maxLength: MAX_LENGTH_RATIO * Math.max(0, ...names.map((name) => name.length)),
  }
  cache.set(paths, fields)
  return fields
}

function checkFields(
  bytes: Buffer,
  fields: Fields,
  readsBothCases: boolean,
  spans: ReadonlyMap<string, Span> | undefined,
  within: readonly string[],
): void {
  if (!spans) return
  const seen = new Set<string>()
  for (const [name, { start, end, isRepeated }] of spans) {
    const alike = name.length > fields.maxLength ? name : plain(name, readsBothCases)
    const matters = fields.alike.has(alike)
    const counts = matters || within.length === 0
    if ((counts && (isRepeated || seen.has(alike))) || (matters && !fields.inner.has(name))) {
      const path = [...within, name].join('.').slice(0, 64)
      throw new AiProxyError(
        'invalid_request',
        `The request body has ${JSON.stringify(path)} twice, or in another spelling`,
      )
    }
    if (counts) seen.add(alike)
    const inner = fields.inner.get(name)
    if (!inner) continue
    const value = bytes.subarray(start, end)
    const here = [...within, name]
    checkFields(value, inner, readsBothCases, fieldsOf(value), here)
    const ofEach = inner.inner.get(EACH)
    if (!ofEach) continue
    for (const object of objectsIn(value, here)) checkFields(object, ofEach, readsBothCases, fieldsOf(object), here)
  }
}

/** Longer than any list of tools or models in a request; scanning more would hold the event loop. */
const MAX_LIST = { bytes: 4 * 1024 * 1024, objects: 1000 }

const QUOTE = 0x22
const OPEN_BRACKET = 0x5b
const OPEN_BRACE = 0x7b

/** Returns the JSON text of the objects in a list; none if it is not a list. */
function objectsIn(list: Buffer, path: readonly string[]): Buffer[] {
  if (list[0] !== OPEN_BRACKET) return []
  const tooLong = () => {
    const name = JSON.stringify(path.join('.'))
    return new AiProxyError('invalid_request', `The request body has too much in ${name}`)
  }
  if (list.length > MAX_LIST.bytes) throw tooLong()
  const objects: Buffer[] = []
  const nesting = new JsonNesting()
  for (let at = 1; at < list.length; at++) {
    const first = list[at]!
    if (first !== QUOTE && first < OPEN_BRACKET) continue
    if (!nesting.begin(first)) continue
    const end = nesting.skip(list, at + 1, 0)
    if (first === OPEN_BRACE) objects.push(list.subarray(at, end))
    at = end - 1
  }
  if (objects.length > MAX_LIST.objects) throw tooLong()
  return objects
}

/**
 * No reader matches a name with one that is this many times shorter: folding never shortens a name, and underscores are
 * few. Folding hundreds of names of 64 KiB would hold the event loop.
 */
const MAX_LENGTH_RATIO = 4

/** Returns a name as a reader may confuse it with others. */
function plain(name: string, readsBothCases: boolean): string {
  if (SNAKE_CASE.test(name)) return readsBothCases ? name.replaceAll('_', '') : name
  return foldCase(readsBothCases ? name.replaceAll('_', '') : name)
}

/** What most names are: folding case would not change them. */
const SNAKE_CASE = /^[a-z\d_]*$/

/**
 * Folds case. Go also reads `ſ` as `s` and the Kelvin sign as `k`: upper-casing maps the one, lower-casing the other.
 */
function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase()
}

/** More than any object in a request has: comparing each of some 100,000 names takes too long. */
const MAX_FIELDS = 10_000

function fieldsOf(bytes: Buffer): ReadonlyMap<string, Span> | undefined {
  const survey = new JsonSurvey(bytes, undefined, { fields: MAX_FIELDS, name: MAX_NAME_BYTES })
  survey.advance()
  if (survey.exceeded) {
    const what = survey.exceeded === 'name' ? 'a name that is too long' : `more than ${MAX_FIELDS} fields`
    throw new AiProxyError('invalid_request', `The request body has ${what}`)
  }
  return survey.isComplete ? survey.spans : undefined
}
