/** The value of a JSON text; `undefined` where it is none. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The value of JSON text in UTF-8, which a byte order mark may begin.
 *
 * @throws SyntaxError
 */
export function jsonIn(bytes: Buffer): unknown {
  const text = bytes.toString()
  return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
}

/** An object, and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
