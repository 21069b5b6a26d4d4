const BACKSLASH = 0x5c
const QUOTE = 0x22
const SPACE = 0x20
const TILDE = 0x7e
/** JSON may spell each UTF-16 unit of a name as `\uXXXX`. */
const MAX_BYTES_PER_UNIT = 6

/** Finds a fixed set of names in JSON by their bytes, so that unwanted names are never decoded. */
export class JsonNames {
  readonly #names: readonly { readonly name: string; readonly bytes: Buffer }[]
  readonly #longest: number

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => ({ name, bytes: Buffer.from(name) }))
    this.#longest = Math.max(0, ...names.map((name) => name.length * MAX_BYTES_PER_UNIT))
  }

  /**
   * @param start index after the opening quote
   * @param end index of the closing quote
   * @returns the name between the quotes, if it is in the set
   */
  match(json: Buffer, start: number, end: number): string | undefined {
    if (end - start > this.#longest) return undefined
    for (const { name, bytes } of this.#names) {
      if (bytes.length === end - start && isAt(json, start, bytes)) return name
    }
    if (!hasBackslash(json, start, end)) return undefined
    const decoded = decodeName(json, start, end)
    return this.#names.find(({ name }) => name === decoded)?.name
  }
}

/** Decodes the name between two quotes; `undefined` if it is not a valid JSON string. */
export function decodeName(json: Buffer, start: number, end: number): string | undefined {
  if (isPlain(json, start, end)) return json.toString('latin1', start, end)
  try {
    return JSON.parse(`"${json.toString('utf8', start, end)}"`)
  } catch {
    return undefined
  }
}

// Loops, because over a few bytes a call of a native search or comparison costs more.

function hasBackslash(json: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (json[at] === BACKSLASH) return true
  return false
}

/** Returns whether a name is ASCII that says itself. */
function isPlain(json: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = json[at]!
    if (byte < SPACE || byte > TILDE || byte === BACKSLASH || byte === QUOTE) return false
  }
  return true
}

function isAt(json: Buffer, start: number, bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at++) if (json[start + at] !== bytes[at]) return false
  return true
}
