import { collections, hasCustomMethod, innerVersionPrefixes, versionPrefixes } from '../formats/index.js'

/** A string rule of `endpoints`, compiled. */
export interface PathRule {
  readonly methods: readonly string[] | 'any'
  /** @param segments of the decoded path, without the slash that it begins with */
  matches(segments: readonly string[]): boolean
}

// `/v1`, `/v1beta`, `/v2alpha1`, and what stands before or in its place, or behind it.
const VERSION_PREFIX = new RegExp(
  `^(?:${anyOf(versionPrefixes)})?(?:v\\d+(?:(?:alpha|beta)\\d*)?/)?(?:${anyOf(innerVersionPrefixes)})?$`,
)

function anyOf(words: readonly string[]): string {
  return words.map((word) => `${word}/`).join('|')
}

/** Segments of a base path: versions, names and ids, nothing that servers read differently. */
const PLAIN = /^(?:v\d+(?:\.\d+)?(?:(?:alpha|beta)\d*)?|(?![vV](?:\d|$))[\w.:@-]+(?<!\.))$/

// No base path has more; Vertex AI has six (`v1/projects/…/locations/…/publishers/…`), Cloudflare's gateways as many.
const LONGEST_BASE = 12

// A rule is like `chat/completions`, `GET files/*` or `POST **/models/*:predict`. It matches under any version prefix, with
// `**` in front under any base path. `*` stands for a part of one segment, of at least one character, but never for one with
// a custom method behind a colon: those are endpoints of their own. GET takes HEAD, too.

/** Compiles a rule of `endpoints`; `undefined` if it is not spelled as one can be. */
export function compilePathRule(rule: string): PathRule | undefined {
  const [, method, spelled] = /^(?:([A-Z]+) +)?(\/|\/?[^\s?#]+)$/.exec(rule) ?? []
  if (spelled === undefined) return undefined
  const methods = method === undefined ? ('any' as const) : method === 'GET' ? ['GET', 'HEAD'] : [method]
  if (spelled === '/') return { methods, matches: ([first, ...more]) => first === '' && more.length === 0 }
  const anyBase = /^\/?\*\*\//.test(spelled)
  const path = spelled.replace(anyBase ? /^\/?\*\*\// : /^\//, '')
  if (path === '' || path.includes('**')) return undefined
  const globs = path.split('/').map((segment) => segment.split('*'))
  const last = globs[globs.length - 1]!
  const takesCustomMethod = last.some((piece) => piece.includes(':'))
  return {
    methods,
    matches(segments) {
      const start = segments.length - globs.length
      if (start < 0 || !globs.every((pieces, at) => matchesGlob(pieces, segments[start + at]!))) return false
      const base = segments.slice(0, start)
      if (anyBase ? !isBase(base) : !VERSION_PREFIX.test(base.map((segment) => `${segment}/`).join(''))) return false
      return takesCustomMethod || last.length === 1 || !hasCustomMethod(segments[segments.length - 1]!)
    },
  }
}

function isBase(segments: readonly string[]): boolean {
  const isVersion = (segment: string | undefined) => segment !== undefined && /^v\d/.test(segment)
  const isPart = (segment: string, at: number) =>
    PLAIN.test(segment) &&
    !collections.has(segment.toLowerCase()) &&
    // `/v1/v1` is a version in the target and in the client's URL.
    !(isVersion(segment) && isVersion(segments[at - 1]))
  return segments.length <= LONGEST_BASE && segments.every(isPart)
}

/**
 * Whether a text is these pieces in their order, with at least one character between each two. Every character is passed
 * once: a RegExp would try all ways to share out the characters between the pieces.
 */
export function matchesGlob(
  pieces: readonly string[],
  text: Pick<string, 'length' | 'startsWith' | 'endsWith' | 'indexOf'> | string,
): boolean {
  const first = pieces[0]!
  if (!text.startsWith(first)) return false
  if (pieces.length === 1) return text.length === first.length
  let end = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, end + 1)
    if (found === -1) return false
    end = found + piece.length
  }
  const last = pieces[pieces.length - 1]!
  return text.endsWith(last) && text.length - last.length > end
}
