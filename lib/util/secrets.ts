/** A shorter value protects nothing that matters, and would match everywhere. */
const MIN_LENGTH = 6
/**
 * Placeholder keys that local servers are given (`ollama`, `lm-studio`, `YOUR_API_KEY`, `no-key-required`, `123456`)
 * are words or small numbers, which answers may contain as well.
 */
const PLACEHOLDER =
  /^(?=.{1,20}$)(?:[A-Z]?[a-z]{1,12}(?:[-_ ][a-z]{1,12})*|[A-Z]{1,12}(?:[-_ ][A-Z]{1,12})*)$|^\d{1,8}$/
const ASTERISK = 42

/**
 * Masks values that must not come back, in every spelling that a server may use. Each byte becomes a `*`, so that no
 * length and no structure changes.
 *
 * All data that passes is searched, and hardly any of it contains a secret. The search therefore first looks for an
 * anchor that all spellings of a secret share. The spellings, of which there may be dozens, are not computed until an
 * anchor is found.
 */
export class Secrets {
  readonly #origins: readonly Origin[]
  readonly #anchors: readonly string[]
  readonly #anchorBytes: readonly Buffer[]
  #compiledSpellings: Spellings | undefined

  constructor(values: readonly string[]) {
    this.#origins = values.flatMap(originsOf)
    this.#anchors = [...new Set(this.#origins.flatMap(anchorsOf))]
    this.#anchorBytes = this.#anchors.map((anchor) => Buffer.from(anchor))
  }

  /** Length of the longest spelling, in bytes. */
  get longest(): number {
    return this.#spellings.longest
  }

  get isEmpty(): boolean {
    return this.#origins.length === 0
  }

  /** Masks the secrets in a text. */
  mask(text: string): string {
    if (!this.#anchors.some((anchor) => text.includes(anchor))) return text
    let hidden = text
    for (const secret of this.#spellings.texts) {
      if (hidden.includes(secret)) hidden = hidden.replaceAll(secret, '*'.repeat(secret.length))
    }
    return hidden
  }

  /** Masks the secrets in bytes. Returns the same buffer if it contains none, otherwise a copy. */
  maskBytes(bytes: Buffer): Buffer {
    if (!this.#anchorBytes.some((anchor) => bytes.includes(anchor))) return bytes
    let hidden = bytes
    for (const needle of this.#spellings.needles) {
      for (let at = hidden.indexOf(needle); at !== -1; at = hidden.indexOf(needle, at + needle.length)) {
        if (hidden === bytes) hidden = Buffer.from(bytes)
        hidden.fill(ASTERISK, at, at + needle.length)
      }
    }
    return hidden
  }

  /** Returns how many bytes at the end are the beginning of a secret, the rest of which may follow. */
  partialMatchLength(bytes: Buffer): number {
    const { needles, longest } = this.#spellings
    const last = bytes.subarray(Math.max(0, bytes.length - longest + 1))
    let begun = 0
    for (const needle of needles) {
      for (let at = last.indexOf(needle[0]!); at !== -1; at = last.indexOf(needle[0]!, at + 1)) {
        const length = last.length - at
        if (length <= begun) break
        // Most candidates already differ here, and calling `compare` takes longer than comparing.
        if (length > 1 && last[at + 1] !== needle[1]) continue
        if (length < needle.length && last.compare(needle, 0, length, at) === 0) begun = length
      }
    }
    return begun
  }

  get #spellings(): Spellings {
    this.#compiledSpellings ??= compileSpellings(this.#origins)
    return this.#compiledSpellings
  }
}

/** All spellings, the longer ones first, because one may begin with a shorter one. */
interface Spellings {
  readonly texts: readonly string[]
  readonly needles: readonly Buffer[]
  /**
   * Length of the longest spelling in bytes: up to one byte less, at the end of the data, may be the beginning of a
   * secret.
   */
  readonly longest: number
}

function compileSpellings(origins: readonly Origin[]): Spellings {
  const texts = [...new Set(origins.flatMap(spellingsOf))].sort((one, other) => other.length - one.length)
  const needles = texts.map((text) => Buffer.from(text))
  return { texts, needles, longest: Math.max(0, ...needles.map((needle) => needle.length)) }
}

/** Used by exchanges without secrets. */
export const NO_SECRETS = new Secrets([])

/** Clients' tokens come and go: when the cache is full, it is cleared. */
const MAX_COMPILED = 200
const compiled = new Map<string, Secrets>()

/** Compiles values to the secrets in them. The results are cached by value. */
export function compileSecrets(values: readonly string[]): Secrets {
  if (values.length === 0) return NO_SECRETS
  const key = values.join('\0')
  const before = compiled.get(key)
  if (before) return before
  if (compiled.size >= MAX_COMPILED) compiled.clear()
  const secrets = new Secrets(values)
  compiled.set(key, secrets)
  return secrets
}

/** What spellings are derived from: a secret itself, or its base64 encoding. */
interface Origin {
  readonly text: string
  readonly isBase64: boolean
}

/** Returns the whole value, and the secret parts of it. */
function originsOf(value: string): Origin[] {
  const [, scheme = '', bare = value] = /^(\S+)\s+(\S.*)$/.exec(value) ?? []
  const decoded = decodeBase64(bare, scheme.toLowerCase() === 'basic')
  const parts = [bare, decoded, ...secretsOfPair(decoded), ...secretsOfPair(bare), ...parameterValues(value)]
  const secret = parts.filter(isSecret)
  if (bare !== value && value.length >= MIN_LENGTH) secret.unshift(value)
  const texts = [...new Set(secret)]
  return [
    ...texts.map((text) => ({ text, isBase64: false })),
    ...texts.map((text) => ({ text: Buffer.from(text).toString('base64').replace(/=+$/, ''), isBase64: true })),
  ]
}

/** Decodes base64: anything after `Basic`, and an `id:key` pair after other schemes (`ApiKey`). */
function decodeBase64(bare: string, isBasic: boolean): string {
  if (!/^[A-Za-z\d+/_-]+=*$/.test(bare)) return ''
  const text = Buffer.from(bare, 'base64').toString()
  return isBasic || /^[ -9;-~]+:[ -~]*$/.test(text) ? text : ''
}

/** Returns the key of `id:KEY`; of `KEY:`, where the password is empty, the name. */
function secretsOfPair(text: string): string[] {
  const colon = text.indexOf(':')
  if (colon < 0 || text.startsWith('://', colon)) return []
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)]
  return [isSecret(password) ? password : name]
}

/** Parameters that say how a request is signed, and others that are not secret. */
const NON_SECRET_PARAMETER = /^(?:signedheaders|headers|algorithm|realm|type|version|path|domain|expires|lang|locale)$/i

/** Returns the values of `Token token="KEY"`, `session=KEY; …` and `Credential=…, Signature=…`. */
function parameterValues(value: string): string[] {
  return [...value.matchAll(/(?<![^\s;,])([\w.-]+)=(?:"([^"]*)"|([^\s;,"]+))/g)]
    .filter(([, name = '']) => !NON_SECRET_PARAMETER.test(name))
    .map(([, , quoted, plain]) => quoted ?? plain ?? '')
}

function isSecret(text: string): boolean {
  return text.length >= MIN_LENGTH && !PLACEHOLDER.test(text)
}

/**
 * Returns a text that all spellings contain: characters that no encoding changes. If these are too few, each spelling
 * itself.
 */
function anchorsOf(origin: Origin): string[] {
  const runs = origin.text.match(origin.isBase64 ? /[A-Za-z\d]+/g : /[\w.-]+/g) ?? []
  const longest = runs.reduce((one, other) => (other.length > one.length ? other : one), '')
  return longest.length >= MIN_LENGTH ? [longest] : spellingsOf(origin)
}

function spellingsOf({ text, isBase64 }: Origin): string[] {
  if (isBase64) return [text, text.replaceAll('+', '-').replaceAll('/', '_'), encodeURIComponent(text)]
  return [text, ...percentEncoded(text), ...escapedForJson(text), ...escapedForHtml(text)]
}

/**
 * Encodes as in paths and in forms, in upper and lower case. Some servers keep what a query may contain (RFC 3986,
 * 3.4); some encode twice.
 */
function percentEncoded(core: string): string[] {
  const percent = encodeURIComponent(core)
  const form = new URLSearchParams([['', core]]).toString().slice(1)
  const kept = percent.replace(/%(?:2F|3A|3D|40|2C|3B)/g, decodeURIComponent)
  const strict = percent.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  const all = [percent, strict, form, percent.replaceAll('%20', '+'), kept, kept.replaceAll('=', '%3D')]
  const lower = all.map((each) => each.replace(/%[\dA-F]{2}/g, (code) => code.toLowerCase()))
  return [...all, ...lower, encodeURIComponent(percent)]
}

/** Escapes as JavaScript and Python do, PHP, Go, Java (Gson), .NET, and encoders that leave only `\w`, `.` and `-`. */
function escapedForJson(core: string): string[] {
  const json = JSON.stringify(core).slice(1, -1)
  const escaped = (text: string, characters: RegExp) => {
    return text.replace(characters, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  }
  const inUpperCase = (text: string) => text.replace(/\\u[\da-f]{4}/g, (code) => `\\u${code.slice(2).toUpperCase()}`)
  const dotNet = inUpperCase(escaped(core, /["&'+<>`]/g))
  const all = escaped(core, /[^\w.-]/g)
  return [
    ...[json, json.replaceAll('/', '\\/'), escaped(json, /[&<>]/g), escaped(json, /[&'<=>]/g)],
    ...[dotNet, all, inUpperCase(all)],
  ]
}

function escapedForHtml(core: string): string[] {
  const amp = core.replaceAll('&', '&amp;')
  const tags = amp.replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  const quotes = tags.replaceAll('"', '&quot;')
  return [amp, tags, quotes, quotes.replaceAll("'", '&#39;'), quotes.replaceAll("'", '&#x27;')]
}
