import type { TextPlace } from './format.js'

/** In a path: every element of a list. */
export const EACH = Symbol('each')

type Pattern = readonly (string | number | typeof EACH)[]

/** The places of a kind at which a message has a text that is not empty; patterns in order, the elements of a list in theirs. */
export function placesAt(root: unknown, kind: TextPlace['kind'], ...patterns: readonly Pattern[]): TextPlace[] {
  return patterns.flatMap((pattern) => pathsAt(root, pattern, 0, []).map((path) => ({ path, kind })))
}

function pathsAt(
  value: unknown,
  pattern: Pattern,
  at: number,
  path: readonly (string | number)[],
): TextPlace['path'][] {
  if (at === pattern.length) return typeof value === 'string' && value !== '' ? [path] : []
  if (typeof value !== 'object' || value === null) return []
  const key = pattern[at]!
  if (key === EACH) {
    if (!Array.isArray(value)) return []
    return value.flatMap((element, index) => pathsAt(element, pattern, at + 1, [...path, index]))
  }
  if (typeof key === 'symbol' || !Object.hasOwn(value, key)) return []
  return pathsAt((value as Record<string | number, unknown>)[key], pattern, at + 1, [...path, key])
}

/** The same places, with what only repeats others marked so. */
export function repeated(places: readonly TextPlace[]): TextPlace[] {
  return places.map(({ path }) => ({ path, kind: 'repeated' }))
}

/** The same places, in what stands at a path. */
export function placesBelow(path: TextPlace['path'], places: readonly TextPlace[]): TextPlace[] {
  return places.map((place) => ({ path: [...path, ...place.path], kind: place.kind }))
}
