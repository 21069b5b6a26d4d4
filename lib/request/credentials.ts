import type { Request } from 'express'
import { AiProxyError } from '../api/errors.js'
import type { Credential } from '../api/provider-options.js'

/**
 * Resolves the credentials for a request: calls functions with it, and awaits their results.
 *
 * @throws AiProxyError `credentials_unavailable`. What a function threw may contain a secret, so the error names only
 *   the option, and keeps the cause where no logger prints it
 */
export function resolveCredentials(
  option: 'auth.headers' | 'auth.query',
  credentials: readonly [string, Credential][],
  req: Request,
): [string, string][] | Promise<[string, string][]> {
  if (credentials.every(isFixed)) return credentials as [string, string][]
  return Promise.all(
    credentials.map(async ([name, credential]): Promise<[string, string]> => {
      if (typeof credential === 'string') return [name, credential]
      try {
        return [name, await credential(req)]
      } catch (privateCause) {
        const message = `The credentials for the provider are not available (${option}.${name})`
        throw new AiProxyError('credentials_unavailable', message, { privateCause })
      }
    }),
  )
}

function isFixed([, credential]: [string, Credential]): boolean {
  return typeof credential === 'string'
}
