import { AiProxyError } from '../errors.js'

/** Where at the provider a request goes. */
export interface ProviderPath {
  /** As the client spelled it, beginning with `/`: safe to append to an origin. */
  readonly path: string
  /** The same, percent-decoded: what rules are held against. */
  readonly decoded: string
  /** Without its `?`; '' where there is none. */
  readonly query: string
}

// RFC 3986, 3.3: what may stand in a path. No backslash, no space, no control character, nothing beyond ASCII.
const PATH = /^\/[\w\-.~!$&'()*+,;=:@%/]*$/
const ABSOLUTE_FORM = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i
const BEDROCK_ARN = /^arn:[^/]+(\/[^/]+)+$/

/**
 * Takes the provider's path out of a request's URL, and nothing else: a host in it (absolute form, RFC 9112, 3.2.2) is
 * left out, for it is not the client's to choose. A path whose meaning depends on who reads it is refused: `//`, `..`
 * and `.`, slashes, backslashes and dots in disguise (`%2f`, `%5c`, `%2e`), a percent-encoded `%`.
 *
 * @param url `req.url`, relative to the mount point
 * @throws AiProxyError `endpoint_not_allowed`
 */
export function providerPath(url: string): ProviderPath {
  const relative = url.replace(ABSOLUTE_FORM, '')
  const mark = relative.indexOf('?')
  const path = (mark === -1 ? relative : relative.slice(0, mark)) || '/'
  const query = mark === -1 ? '' : relative.slice(mark + 1)
  const decoded = PATH.test(path) ? path.slice(1).split('/').map(decodeSegment) : [undefined]
  const isSafe = decoded.every((segment, at) => segment !== undefined && (segment !== '' || at === decoded.length - 1))
  if (!isSafe || /[^\x21-\x7e]|#/.test(query)) {
    throw new AiProxyError('endpoint_not_allowed', 'The path of this request is not spelled as a provider path can be')
  }
  return { path, decoded: `/${decoded.join('/')}`, query }
}

/** The decoded segment, or `undefined` where two readers could understand it differently. */
function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return isDots(segment) ? undefined : segment
  let decoded: string
  try {
    decoded = decodeURIComponent(segment)
  } catch {
    return undefined
  }
  if (isDots(decoded) || /[\\%?#\s]|\p{Cc}/u.test(decoded)) return undefined
  if (!decoded.includes('/')) return decoded
  // Bedrock's model ids may be ARNs, whose slashes its SDKs encode: there, and there only, they stay encoded.
  const isArn = BEDROCK_ARN.test(decoded) && !decoded.split('/').some(isDots)
  return isArn ? decoded.replaceAll('/', '%2F') : undefined
}

/** `.` and `..`, also with a path parameter behind them, which some servers cut off first (`..;x`). */
function isDots(segment: string): boolean {
  return /^\.{1,2}(;|$)/.test(segment)
}
