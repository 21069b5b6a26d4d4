import { builtInFormats } from '../formats/index.js'
import type { Config } from '../options/config.js'
import { isHarmlessHeader } from '../options/forward-headers.js'
import { compileSecrets, NO_SECRETS, type Secrets } from '../util/secrets.js'
import type { UpstreamRequest } from './upstream-request.js'

/** Names of headers and parameters that always hold secrets, whoever sets them. */
const SECRET_NAME =
  /authorization|(?:^|[-_])(?:auth|pass|pwd|sig|key)$|api-?key|token|secret|passw|credential|cookie|signature|assertion|bearer|jwt/
/** A value that is almost certainly neither a word in an answer nor a URL. */
const LIKE_A_KEY = /^(?=.*\d)(?!.*:\/\/)[\w.~+/=:-]{16,}$/
/**
 * Names of values sent with credentials that are not secret: `anthropic-version`, `openai-organization`, a model's
 * name.
 */
const NON_SECRET_NAME = new RegExp(
  [
    '(?:version|organi[sz]ation|project|region|deployment|model|beta)(?:[-_]?(?:id|name|alias|override))?$',
    '^user-agent$|^accept',
    ...builtInFormats.flatMap((format) => format.nonSecretNames).map(({ source }) => source),
  ].join('|'),
)

/**
 * Collects the values in a request that must not come back from the provider: its credentials, and headers of the app
 * that look like credentials.
 *
 * @param further headers of hooks and observers
 */
export function collectSecrets(
  { url, headers }: UpstreamRequest,
  config: Config,
  further: readonly Readonly<Record<string, string>>[],
): Secrets {
  const { auth } = config
  const isOurs = config.headers.length > 0 || auth.headers.length > 0 || auth.query.length > 0
  if (!isOurs && further.every((each) => Object.keys(each).length === 0)) return NO_SECRETS
  const set = [...config.headers, ...further.flatMap((each) => Object.entries(each))]
  const names = new Set(set.filter(isLikeSecret).map(([name]) => name.toLowerCase()))
  for (const [name] of auth.headers) if (mayBeSecret(name) && !isKnownAsHarmless(name)) names.add(name)
  const values = [...names].flatMap((name) => headers[name] ?? [])
  return compileSecrets(auth.query.length === 0 ? values : [...values, ...valuesIn(url, config)])
}

/** Returns whether a header that the app sets outside `auth` looks like a secret. */
function isLikeSecret([name, value]: readonly [string, string]): boolean {
  return isSecretName(name) || (mayBeSecret(name) && !isHarmlessHeader(name) && LIKE_A_KEY.test(value))
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase())
}

function mayBeSecret(name: string): boolean {
  return isSecretName(name) || !NON_SECRET_NAME.test(name.toLowerCase())
}

/** Returns whether clients and answers may use a header as well: `content-type`, the app's own URL and title. */
function isKnownAsHarmless(name: string): boolean {
  return !isSecretName(name) && isHarmlessHeader(name)
}

function valuesIn(url: string, { auth }: Config): string[] {
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1))
  return auth.query.filter(([name]) => mayBeSecret(name)).flatMap(([name]) => query.getAll(name))
}
