import { AiProxyError } from '../api/errors.js'
import { MAX_MODEL_ID_LENGTH, mayHaveSlashes, mayHaveSpaces } from '../formats/index.js'
import { memoize } from '../util/memoize.js'

/** The part of a URL that says where at the provider a request goes. */
export interface ProviderPath {
  /** As the client spelled it, beginning with `/`; safe to append to an origin. */
  readonly path: string
  /** Percent-decoded, for matching rules. A slash in a model's name stays `%2F`. */
  readonly decoded: string
  /** Without `?`; '' if there is none. */
  readonly query: string
}

// RFC 9110, 4.1: recipients should accept at least 8000 octets.
const MAX_PATH_LENGTH = 8192
// Some characters of a model's id are percent-encoded.
const MAX_SEGMENT_LENGTH = 2 * MAX_MODEL_ID_LENGTH

// Characters allowed in a path (RFC 3986, 3.3): no backslash, no space, no control character, nothing beyond ASCII.
const PATH = /^\/[\w\-.~!$&'()*+,;=:@%/]*$/
const ABSOLUTE_FORM = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i

/**
 * Extracts the provider's path from a request's URL. A host in it (absolute form, RFC 9112, 3.2.2) is dropped, because
 * the client must not choose the host. A path that readers may interpret differently is rejected: `//`, `..` and `.`,
 * disguised slashes, backslashes and dots (`%2f`, `%5c`, `%2e`, and their relatives in Unicode), and a percent-encoded
 * `%`.
 *
 * @param url `req.url`, relative to the mount point
 * @throws AiProxyError `endpoint_not_allowed`
 */
export function providerPath(url: string): ProviderPath {
  return url.length <= MAX_MEMOIZED_LENGTH ? memoizedPath(url) : parsePath(url)
}

/** Clients send the same few URLs, and perhaps thousands of others. */
const MAX_MEMOIZED_LENGTH = 256
const memoizedPath = memoize(parsePath)

function parsePath(url: string): ProviderPath {
  const relative = url.replace(ABSOLUTE_FORM, '')
  const mark = relative.indexOf('?')
  const path = (mark === -1 ? relative : relative.slice(0, mark)) || '/'
  const query = mark === -1 ? '' : relative.slice(mark + 1)
  const segments =
    path.length <= MAX_PATH_LENGTH && PATH.test(path) ? decodeSegments(path.slice(1).split('/')) : undefined
  if (!segments || /[^\x21-\x7e]|#/.test(query)) {
    throw new AiProxyError('endpoint_not_allowed', 'The path of this request is not a valid path of a provider')
  }
  return { path, decoded: `/${segments.join('/')}`, query }
}

/** Decodes segments; `undefined` if two readers could interpret one of them differently. */
function decodeSegments(segments: readonly string[]): string[] | undefined {
  const decoded: string[] = []
  for (const [at, segment] of segments.entries()) {
    const isLast = at === segments.length - 1
    const one = segment === '' && isLast ? '' : decodeSegment(segment, decoded[at - 1], isLast)
    if (one === undefined) return undefined
    decoded.push(one)
  }
  return decoded
}

function decodeSegment(segment: string, before: string | undefined, isLast: boolean): string | undefined {
  if (segment === '' || segment.length > MAX_SEGMENT_LENGTH) return undefined
  if (!segment.includes('%')) return isDots(segment) ? undefined : segment
  let decoded: string
  try {
    decoded = decodeURIComponent(segment)
  } catch {
    return undefined
  }
  const parts = decoded.split('/')
  const spaced = mayHaveSpaces(before)
  if (parts.some((part) => part === '' || isDots(part) || isOdd(spaced ? part.replace(INNER_SPACE, '') : part)))
    return undefined
  // Characters with another spelling (`ﬁ`, the Kelvin sign) are the same to one reader and different to another.
  if (decoded.normalize('NFKC') !== decoded) return undefined
  return parts.length === 1 || mayHaveSlashes(decoded, before, isLast) ? parts.join('%2F') : undefined
}

// Beyond ASCII, allows only letters, marks and digits: no slashes and dots of Unicode, and no zero-width characters.
const ODD = /[\\%?#\s\p{Cc}]|[^\0-\x7f\p{L}\p{M}\p{N}]/u

function isOdd(text: string): boolean {
  return ODD.test(text)
}

const INNER_SPACE = /(?<=[^ ]) (?=[^ ])/g

/** Returns whether a segment is `.`, `..` or empty, or becomes so if a server strips its path parameter (`..;x`). */
function isDots(segment: string): boolean {
  return /^\.{0,2}(;|$)/.test(segment)
}
