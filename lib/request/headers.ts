import type { IncomingHttpHeaders } from 'node:http'
import { isCredentialHeader } from '../options/credential-names.js'
import type { HeaderFilter } from '../options/forward-headers.js'
import { mayBeForwarded } from '../options/forward-headers.js'
import { namedByConnection } from '../util/hop-by-hop.js'

/** These go on with the body that they describe, as it goes on. */
const ofTheBody = ['content-type', 'content-encoding', 'content-length']

/**
 * The client's headers that go on, beside its body's. What `connection` names is meant for this connection alone.
 *
 * @param withCredentials whether the client's credentials may go on, as far as `forwards` lets them through
 */
export function forwardedHeaders(
  client: IncomingHttpHeaders,
  forwards: HeaderFilter,
  withCredentials = true,
): Record<string, string | string[]> {
  const named = namedByConnection(client.connection)
  const headers: Record<string, string | string[]> = {}
  for (const name of Object.keys(client)) {
    const value = client[name]
    if (value === undefined || named.includes(name) || ofTheBody.includes(name)) continue
    if (forwards(name) && (withCredentials || !isCredentialHeader(name))) headers[name] = value
  }
  return headers
}

const MOST_NAMES = 50

/** The names of the client's headers that stay here though `forwardHeaders` might let them through, for a developer. */
export function heldBack(client: IncomingHttpHeaders, sent: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(client).filter((name) => !(name in sent) && mayBeForwarded(name))
  return names
    .slice(0, MOST_NAMES)
    .map((name) => name.slice(0, 100))
    .join(', ')
}
