/**
 * Returns the value at a path of keys, or `undefined`. Inherited properties (`constructor`) are not part of the data.
 */
export function valueAt(root: unknown, ...path: readonly (string | number)[]): unknown {
  let value = root
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string | number, unknown>)[key]
  }
  return value
}

/**
 * Returns the string at a path of keys; `undefined` if it is not a string or is empty: providers send '' for unknown
 * values.
 */
export function textAt(root: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(root, ...path)
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Returns the array at a path of keys; an empty one if there is none. */
export function listAt(root: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const value = valueAt(root, ...path)
  return Array.isArray(value) ? value : []
}

/**
 * Returns the word for why something ended; `undefined` if there is none. Some servers send `"null"` (Alibaba) or a blank
 * while nothing has ended. Google's APIs send enums as numbers if the client asks for it
 * (`$alt=json;enum-encoding=int`), with 0 for the unspecified value.
 */
export function reasonAt(root: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(root, ...path)
  if (typeof value === 'number') return value === 0 ? undefined : String(value)
  return typeof value === 'string' && !NO_REASON.test(value) ? value : undefined
}

const NO_REASON = /^\s*(?:null|none|undefined)?\s*$/i

/** Returns the first text that `pick` finds in a list. */
export function firstText(list: readonly unknown[], pick: (item: unknown) => string | undefined): string | undefined {
  for (const item of list) {
    const text = pick(item)
    if (text) return text
  }
  return undefined
}

/** Returns the texts that `pick` finds in a list, joined. */
export function allText(list: readonly unknown[], pick: (item: unknown) => string | undefined): string {
  return list.map(pick).join('')
}

/** Returns the arguments of a tool call as text; some providers send an object, others its JSON. */
export function argumentsText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    // A value that `JSON.parse` can read may be nested too deeply for the stack of `JSON.stringify`.
    return undefined
  }
}
