import type { IncomingHttpHeaders } from 'node:http'
import { isCredentialHeader } from '../options/credential-names.js'
import { mayBeForwarded } from '../options/forward-headers.js'
import { namedByConnection } from '../util/hop-by-hop.js'

/** Forwarded together with the body that they describe. */
const bodyHeaders = ['content-type', 'content-encoding', 'content-length']

/**
 * Returns the client's headers to forward, except those of its body. What `connection` names applies to this connection
 * only.
 *
 * @param withCredentials whether the client's credentials may be forwarded, if `forwards` allows them
 */
export function forwardedHeaders(
  client: IncomingHttpHeaders,
  forwards: (name: string) => boolean,
  withCredentials = true,
): Record<string, string | string[]> {
  const named = namedByConnection(client.connection)
  const headers: Record<string, string | string[]> = {}
  for (const name of Object.keys(client)) {
    const value = client[name]
    if (value === undefined || named.includes(name) || bodyHeaders.includes(name)) continue
    if (forwards(name) && (withCredentials || !isCredentialHeader(name))) headers[name] = value
  }
  return headers
}

const MAX_NAMES = 50

/** Lists the client's headers that were not forwarded although `forwardHeaders` could allow them, for debugging. */
export function listNotForwarded(client: IncomingHttpHeaders, sent: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(client).filter((name) => !(name in sent) && mayBeForwarded(name))
  return names
    .slice(0, MAX_NAMES)
    .map((name) => name.slice(0, 100))
    .join(', ')
}
