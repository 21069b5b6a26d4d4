import type { Config } from '../config.js'
import { type Secrets, secretsOf } from '../secrets.js'
import type { UpstreamRequest } from '../upstream/stand-ins.js'

/** Headers that hold secrets, whoever sets them. */
const SECRET_HEADER =
  /authorization|api-?key|(?:^|[-_])key$|token|secret|passw|credential|cookie|signature|assertion|jwt/
/** What stands beside the credentials and is none: `anthropic-version`, `api-version`, `openai-organization`, … */
const NO_SECRET =
  /version|^alt$|organi[sz]ation|project|region|deployment|^x-amz-(?:date|content-)|^user-agent$|^accept|beta/

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
  const set = [...config.headers.map(([name]) => name), ...further.flatMap((each) => Object.keys(each))]
  const names = new Set(set.map((name) => name.toLowerCase()).filter((name) => SECRET_HEADER.test(name)))
  for (const [name] of config.auth.headers) names.add(name)
  const values = [...names].filter((name) => !NO_SECRET.test(name)).flatMap((name) => headers[name] ?? [])
  return secretsOf(config.auth.query.length === 0 ? values : [...values, ...valuesIn(url, config)])
}

function valuesIn(url: string, { auth }: Config): string[] {
  const query = new URLSearchParams(url.slice(url.indexOf('?') + 1))
  return auth.query.filter(([name]) => !NO_SECRET.test(name.toLowerCase())).flatMap(([name]) => query.getAll(name))
}
