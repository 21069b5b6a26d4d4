/** What lies at a path of keys, or `undefined`. What an object inherits (`constructor`) is not in the data. */
export function valueAt(root: unknown, ...path: readonly (string | number)[]): unknown {
  let value = root
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}

/** The string at a path of keys; `undefined` where it is none, or empty: providers send '' for what they do not know. */
export function textAt(root: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(root, ...path)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The array at a path of keys; an empty one where there is none. */
export function listAt(root: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = valueAt(root, ...path)
  return Array.isArray(value) ? value : []
}

/**
 * The word for why something ended; `undefined` where it is none. Google's APIs send the number of it where the client asks
 * for enums as integers (`$alt=json;enum-encoding=int`), and 0 for a word that says nothing.
 */
export function reasonAt(root: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(root, ...path)
  return typeof value === 'number' && value !== 0 ? String(value) : textAt(root, ...path)
}

/** The first text that `pick` finds in a list. */
export function firstText(list: readonly unknown[], pick: (item: unknown) => string | undefined): string | undefined {
  for (const item of list) {
    const text = pick(item)
    if (text) return text
  }
  return undefined
}

/** The texts that `pick` finds in a list, joined. */
export function allText(list: readonly unknown[], pick: (item: unknown) => string | undefined): string {
  return list.map(pick).join('')
}

/** The arguments of a tool call, which some providers send as an object and others as the JSON text of one. */
export function argumentsText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    // What `JSON.parse` can read may be nested too deep for the stack of `JSON.stringify`.
    return undefined
  }
}
