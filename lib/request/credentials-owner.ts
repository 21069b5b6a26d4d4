import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../options/config.js'
import { isCredentialHeader, isCredentialParameter } from '../options/credential-names.js'
import { isHarmlessHeader } from '../options/forward-headers.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import type { UpstreamRequest } from './upstream-request.js'

/** Whose the credentials of a request are; `nobody` if it has none, which the client could have sent. */
export type CredentialsOwner = 'app' | 'client' | 'nobody'

/**
 * Returns whose credentials a request to the provider has: what is wrong with the client's own concerns no other client.
 *
 * @param client headers of the client's request
 */
export function credentialsOwner(
  { headers, url }: Pick<UpstreamRequest, 'headers' | 'url'>,
  client: IncomingHttpHeaders,
  { holdsCredentials, forwardCredentials }: Pick<Config, 'holdsCredentials' | 'forwardCredentials'>,
): CredentialsOwner {
  if (holdsCredentials) return 'app'
  const names = Object.keys(headers)
  // With `forwardCredentials`, other headers of the app go with the client's key.
  const mayBeKey = (name: string) => (forwardCredentials ? isCredentialHeader(name) : !isHarmlessHeader(name))
  const isOurs = (name: string) => headers[name] !== client[name] && name !== 'host' && !isFramingHeader(name)
  if (names.some((name) => isOurs(name) && mayBeKey(name))) return 'app'
  return names.some(isCredentialHeader) || hasCredentialParameter(url) ? 'client' : 'nobody'
}

function hasCredentialParameter(url: string): boolean {
  const query = url.indexOf('?')
  if (query === -1) return false
  return [...new URLSearchParams(url.slice(query + 1)).keys()].some(isCredentialParameter)
}
