import {
  collections,
  hasCustomMethod,
  innerVersionPrefixes,
  MAX_BASE_SEGMENTS,
  versionPrefixes,
} from '../formats/index.js'

/** A compiled string rule of `endpoints`. */
export interface PathRule {
  readonly methods: readonly string[] | 'any'
  /** @param segments of the decoded path, without its leading slash */
  matches(segments: readonly string[]): boolean
}

// `/v1`, `/v1beta`, `/v2alpha1`, with the words that may precede, follow or replace the version.
const VERSION_PREFIX = new RegExp(
  `^(?:${anyOf(versionPrefixes)})?(?:v\\d+(?:(?:alpha|beta)\\d*)?/)?(?:${anyOf(innerVersionPrefixes)})?$`,
)

function anyOf(words: readonly string[]): string {
  return words.map((word) => `${word}/`).join('|')
}

/** Segments that a base path may have: versions, names and ids; nothing that servers could read differently. */
const PLAIN = /^(?:v\d+(?:\.\d+)?(?:(?:alpha|beta)\d*)?|(?![vV](?:\d|$))[\w.:@-]+(?<!\.))$/

// A rule looks like `chat/completions`, `GET files/*` or `POST **/models/*:predict`. It matches below any version
// prefix, and below any base path if it starts with `**`. `*` matches at least one character within a segment, but
// never a custom method after a colon: those are separate endpoints. GET includes HEAD.

/** Compiles a rule of `endpoints`; `undefined` if its syntax is invalid. */
export function compilePathRule(rule: string): PathRule | undefined {
  const [, method, spelled] = /^(?:([A-Z]+) +)?(\/|\/?[^\s?#]+)$/.exec(rule) ?? []
  if (spelled === undefined) return undefined
  const methods = method === undefined ? ('any' as const) : method === 'GET' ? ['GET', 'HEAD'] : [method]
  if (spelled === '/') return { methods, matches: ([first, ...more]) => first === '' && more.length === 0 }
  const anyBase = /^\/?\*\*\//.test(spelled)
  const path = spelled.replace(anyBase ? /^\/?\*\*\// : /^\//, '')
  // Requests with an empty segment are rejected before: such a rule, such as a whole URL, would never match.
  if (path === '' || path.includes('**') || /^\/|\/\//.test(path)) return undefined
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
    // `/v1/v1` comes from a version both in the target and in the client's URL.
    !(isVersion(segment) && isVersion(segments[at - 1]))
  return segments.length <= MAX_BASE_SEGMENTS && segments.every(isPart)
}

/**
 * Returns whether a text consists of these pieces in order, with at least one character between each two. It reads
 * every character once: a RegExp would try all ways to distribute the characters between the pieces.
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
