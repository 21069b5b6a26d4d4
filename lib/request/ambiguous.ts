import { AiProxyError } from '../errors.js'
import { JsonSurvey } from '../json-survey.js'
import { type Span, topLevelSpans } from '../top-level.js'

/**
 * Refuses a JSON object in which a field may be another one than what we take for it: which of two fields of one name
 * counts is up to the reader, and some (Go's, as in Ollama) take `Model` for `model`, or `safety_settings` for
 * `safetySettings` (Google's). What we check and change must be what the provider takes. At the top level no name may
 * stand there twice, in whatever spelling, further in none of those that matter.
 *
 * @param paths of the fields that matter, each with the names of the objects that it stands in
 * @param readsBothCases the provider takes `a_b` for `aB`
 * @param spans of all its fields, if they are known
 * @throws AiProxyError `invalid_request`
 */
export function refuseAmbiguousFields(
  bytes: Buffer,
  paths: readonly (readonly string[])[],
  readsBothCases = false,
  spans: ReadonlyMap<string, Span> | undefined = topLevelSpans(bytes),
  within: readonly string[] = [],
): void {
  const ours = new Set(paths.flatMap(([name]) => name ?? []))
  const plain = (name: string) => caseless(readsBothCases ? name.replaceAll('_', '') : name)
  const likeOurs = new Set([...ours].map(plain))
  const longest = LENGTHENING * Math.max(0, ...[...ours].map((name) => name.length))
  const seen = new Set<string>()
  for (const [name, { start, end, isRepeated }] of spans ?? []) {
    const alike = name.length > longest ? name : plain(name)
    const matters = likeOurs.has(alike)
    const counts = matters || within.length === 0
    if ((counts && (isRepeated || seen.has(alike))) || (matters && !ours.has(name))) {
      const path = [...within, name].join('.').slice(0, 64)
      throw new AiProxyError('invalid_request', `The request body has ${JSON.stringify(path)} twice, or misspelled`)
    }
    if (counts) seen.add(alike)
    if (!matters) continue
    const inner = paths.filter((path) => path[0] === name && path.length > 1).map((path) => path.slice(1))
    if (inner.length === 0) continue
    const value = bytes.subarray(start, end)
    refuseAmbiguousFields(value, inner, readsBothCases, fieldsOf(value), [...within, name])
  }
}

/**
 * No reader takes a name for one that is so many times shorter: folding makes none shorter, and underscores are few. To
 * fold names of 64 KiB, hundreds of them, would hold the event loop.
 */
const LENGTHENING = 4

/** Go takes `ſ` for `s` and the Kelvin sign for `k`, too: only upper case has the one, only lower case the other. */
function caseless(name: string): string {
  return name.toUpperCase().toLowerCase()
}

/** More than any object in a request has: to hold each of some 100,000 names against ours takes too long. */
const MOST_FIELDS = 10_000

function fieldsOf(bytes: Buffer): ReadonlyMap<string, Span> | undefined {
  const survey = new JsonSurvey(bytes, undefined, { depth: Infinity, fields: MOST_FIELDS, work: Infinity })
  survey.advance()
  if (survey.exceeded) throw new AiProxyError('invalid_request', `The request body has more than ${MOST_FIELDS} fields`)
  return survey.isWhole ? survey.spans : undefined
}
