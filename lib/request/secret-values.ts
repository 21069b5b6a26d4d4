import type { Config } from '../config.js'
import { NO_SECRETS, type Secrets, secretsOf } from '../secrets.js'
import type { UpstreamRequest } from '../upstream/stand-ins.js'
import { isHarmlessHeader } from './headers.js'

/** Headers that hold secrets, whoever sets them. */
const SECRET_HEADER =
  /authorization|api-?key|(?:^|[-_])key$|token|secret|passw|credential|cookie|signature|assertion|jwt/
/** A value that is as good as certainly no word of an answer, and no URL. */
const LIKE_A_KEY = /^(?=.*\d)(?!.*:\/\/)[\w.~+/=:-]{16,}$/
/** What stands beside the credentials and is none: `anthropic-version`, `api-version`, `openai-organization`, a model's name */
const NO_SECRET =
  /version|^alt$|organi[sz]ation|project|region|deployment|model|^x-amz-(?:date|content-)|^user-agent$|^accept|beta/

/**
 * What of a request to the provider must not come back from it: the credentials as they are for this request, and what
 * looks like one among the headers of the app.
 *
 * @param further headers of hooks and observers
 */
export function secretsIn(
  { url, headers }: UpstreamRequest,
  config: Config,
  further: readonly Readonly<Record<string, string>>[],
): Secrets {
  const set = [...config.headers, ...further.flatMap((each) => Object.entries(each))]
  const { auth } = config
  if (set.length === 0 && auth.headers.length === 0 && auth.query.length === 0) return NO_SECRETS
  const names = new Set(set.filter(isLikeSecret).map(([name]) => name.toLowerCase()))
  for (const [name] of auth.headers) names.add(name)
  const values = [...names].filter((name) => !NO_SECRET.test(name)).flatMap((name) => headers[name] ?? [])
  return secretsOf(auth.query.length === 0 ? values : [...values, ...valuesIn(url, config)])
}

function isLikeSecret([name, value]: readonly [string, string]): boolean {
  const lowerName = name.toLowerCase()
  return SECRET_HEADER.test(lowerName) || (!isHarmlessHeader(lowerName) && LIKE_A_KEY.test(value))
}

function valuesIn(url: string, { auth }: Config): string[] {
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1))
  return auth.query.filter(([name]) => !NO_SECRET.test(name.toLowerCase())).flatMap(([name]) => query.getAll(name))
}
