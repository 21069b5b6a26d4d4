import type { TextPlace } from './format.js'

/** In a pattern: every element of a list. */
export const EACH = Symbol('each')

/** A path to texts in a message; {@link EACH} stands for every element of a list. */
export type Pattern = readonly (string | number | typeof EACH)[]

/**
 * Returns the places at which a message has a text that is not empty: in the order of the patterns, then of the lists'
 * elements.
 */
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

/** Returns the same places, marked as repetitions. */
export function repeated(places: readonly TextPlace[]): TextPlace[] {
  return places.map(({ path }) => ({ path, kind: 'repeated' }))
}

/** Returns the same places below a path. */
export function placesBelow(path: TextPlace['path'], places: readonly TextPlace[]): TextPlace[] {
  return places.map((place) => ({ path: [...path, ...place.path], kind: place.kind }))
}
