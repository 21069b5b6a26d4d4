import type { Request } from 'express'
import { AiProxyError } from '../api/errors.js'
import type { Credential } from '../api/options.js'

/**
 * The credentials as they are for this request: functions are called with it, and waited for.
 *
 * @throws AiProxyError `credentials_unavailable`; what a function threw may tell a secret, so the error names the
 * option alone and keeps the rest where no logger prints it
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
