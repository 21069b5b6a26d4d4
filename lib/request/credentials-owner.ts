import type { IncomingHttpHeaders } from 'node:http'
import type { Config } from '../options/config.js'
import { isCredentialHeader, isCredentialParameter } from '../options/credential-names.js'
import type { UpstreamRequest } from './upstream-request.js'

/** Whose the credentials of a request are. If it has none, they are missing from the app's options. */
export type CredentialsOwner = 'app' | 'client'

/**
 * Returns whose credentials a request to the provider has: what is wrong with the client's own concerns no other client. They
 * are expected only if the app says so: a target without a key may also be one that the app has forgotten to give it.
 *
 * @param client headers of the client's request
 */
export function credentialsOwner(
  { headers, url }: Pick<UpstreamRequest, 'headers' | 'url'>,
  client: IncomingHttpHeaders,
  { forwardCredentials }: Pick<Config, 'forwardCredentials'>,
): CredentialsOwner {
  if (!forwardCredentials) return 'app'
  const keys = Object.keys(headers).filter(isCredentialHeader)
  if (keys.some((name) => headers[name] !== client[name])) return 'app'
  return keys.length > 0 || hasCredentialParameter(url) ? 'client' : 'app'
}

function hasCredentialParameter(url: string): boolean {
  const query = url.indexOf('?')
  if (query === -1) return false
  return [...new URLSearchParams(url.slice(query + 1)).keys()].some(isCredentialParameter)
}
