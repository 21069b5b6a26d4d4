import type { AnswerRules } from '../formats/index.js'
import { isCredentialParameter, plainParameter } from '../options/credential-names.js'

/** Rules for the query of a request. */
interface QueryRules {
  /** Our parameters, which replace the client's parameters of the same name. */
  readonly ours: readonly [string, string][]
  /** Whether we hold the provider's credentials, so that the client's are removed. */
  readonly holdsCredentials: boolean
  /** Returns whether a decoded text holds a key of the app's own, which stays here. */
  readonly isOwnKey?: (text: string) => boolean
  /** What the API must not be asked for. */
  readonly rules: AnswerRules | undefined
}

/**
 * Returns the query to forward, spelled as the client spelled it.
 *
 * @param client the client's query, without `?`
 */
export function forwardedQuery(client: string, { ours, holdsCredentials, isOwnKey, rules }: QueryRules): string {
  if (client === '' && ours.length === 0) return ''
  const replaced = new Set(ours.map(([name]) => plainParameter(name)))
  const goesOn = (pair: string) => {
    const [name, value] = read(pair)
    if (replaced.has(plainParameter(name)) || isSystemParameter(name)) return false
    if (rules?.takesParameter(name, value) === false) return false
    if (isOwnKey?.(name) || isOwnKey?.(value)) return false
    // Some servers treat `;` like `&`.
    return !holdsCredentials || !pair.split(';').some((part) => isCredentialParameter(read(part)[0]))
  }
  const pairs = client.split('&')
  const kept = pairs.filter(goesOn)
  if (kept.length === pairs.length && ours.length === 0) return client
  return [...kept.filter((pair) => pair !== ''), ...ours.map((pair) => pair.map(encodeURIComponent).join('='))].join(
    '&',
  )
}

/** Returns the values of a parameter, in whatever case and between whatever separators its name is written. */
export function valuesOf(query: string, name: string): string[] {
  if (query === '') return []
  const pairs = query.split(/[&;]/).map(read)
  return pairs.filter((pair) => plainParameter(pair[0]) === name).map((pair) => pair[1])
}

/** `$httpMethod`, `$httpHeaders`, `$fields`, `$.xgafv`, …: some APIs take another method, other headers from them. */
function isSystemParameter(name: string): boolean {
  return /^[\s?]*\$/.test(name)
}

/** Decodes name and value as in forms. */
function read(pair: string): [name: string, value: string] {
  if (!/[%+]/.test(pair)) {
    const at = pair.indexOf('=')
    return at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
  }
  return new URLSearchParams(pair).entries().next().value ?? ['', '']
}
