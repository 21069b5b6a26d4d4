import { remembering } from './remember.js'

/** A shorter value hides nothing that matters, and would be found everywhere. */
const MIN_LENGTH = 6
/** A word, as local servers are given for a key (`ollama`, `lm-studio`, `not-needed`), and as answers may have it. */
const WORD = /^[a-z-]{1,12}$/
const MASK = 42

/**
 * Values that must not come back, and the ways in which a server may spell them. Each is masked by as many `*` as it has
 * bytes, so that no length and no structure changes.
 */
export class Secrets {
  readonly #texts: readonly string[]
  readonly #needles: readonly Buffer[]
  /** So many bytes at the end of what has come may be the beginning of a secret. */
  readonly #longest: number

  constructor(values: readonly string[]) {
    const texts = new Set(values.flatMap(coresOf).flatMap(spellingsOf))
    // The longer one first: it may begin with a shorter one.
    this.#texts = [...texts].sort((one, other) => other.length - one.length)
    this.#needles = this.#texts.map((text) => Buffer.from(text))
    this.#longest = Math.max(0, ...this.#needles.map((needle) => needle.length))
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0
  }

  /** The text without secrets. */
  hide(text: string): string {
    let hidden = text
    for (const secret of this.#texts) {
      if (hidden.includes(secret)) hidden = hidden.replaceAll(secret, '*'.repeat(secret.length))
    }
    return hidden
  }

  /** The bytes without secrets: the same ones where there is none in them, a copy where there is. */
  hideIn(bytes: Buffer): Buffer {
    let hidden = bytes
    for (const needle of this.#needles) {
      for (let at = hidden.indexOf(needle); at !== -1; at = hidden.indexOf(needle, at + needle.length)) {
        if (hidden === bytes) hidden = Buffer.from(bytes)
        hidden.fill(MASK, at, at + needle.length)
      }
    }
    return hidden
  }

  /** How many of the last bytes are the beginning of a secret, the rest of which may follow. */
  begunIn(bytes: Buffer): number {
    const last = bytes.subarray(Math.max(0, bytes.length - this.#longest + 1))
    let begun = 0
    for (const needle of this.#needles) {
      for (let at = last.indexOf(needle[0]!); at !== -1; at = last.indexOf(needle[0]!, at + 1)) {
        const end = last.subarray(at)
        if (end.length < needle.length && end.equals(needle.subarray(0, end.length)))
          begun = Math.max(begun, end.length)
      }
    }
    return begun
  }
}

/** For an exchange that holds none. */
export const NO_SECRETS = new Secrets([])

const compiled = remembering((values) => new Secrets(values.split('\0')))

/** The secrets that these values are; those of one key are compiled once. */
export function secretsOf(values: readonly string[]): Secrets {
  return values.length === 0 ? NO_SECRETS : compiled(values.join('\0'))
}

/** The secret parts of a value: what is behind a scheme (`Bearer …`), and what `Basic` encodes. */
function coresOf(value: string): string[] {
  const [, scheme = '', bare = value] = /^(\S+)\s+(\S.*)$/.exec(value) ?? []
  const basic = scheme.toLowerCase() === 'basic' ? Buffer.from(bare, 'base64').toString() : ''
  const password = basic.slice(basic.indexOf(':') + 1)
  return [value, bare, basic, password].filter((core) => core.length >= MIN_LENGTH && !WORD.test(core))
}

function spellingsOf(core: string): string[] {
  const percent = encodeURIComponent(core)
  const base64 = Buffer.from(core).toString('base64').replace(/=+$/, '')
  const json = JSON.stringify(core).slice(1, -1)
  return [
    ...[core, percent, percent.replace(/%[\dA-F]{2}/g, (code) => code.toLowerCase()), percent.replaceAll('%20', '+')],
    ...[json, json.replaceAll('/', '\\/'), core.replaceAll('&', '&amp;')],
    ...[base64, base64.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(base64)],
  ]
}
