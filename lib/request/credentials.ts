import { AiProxyError } from '../api/errors.js'
import type { CheckedCredential } from '../options/credentials.js'
import type { ExchangeSource } from '../options/exchange-source.js'

/**
 * Resolves the credentials for a request: calls functions, and awaits their results.
 *
 * @throws AiProxyError `credentials_unavailable`. What a function threw may contain a secret, so the error names only
 *   the option, and keeps the cause where no logger prints it
 */
export function resolveCredentials(
  option: 'auth.headers' | 'auth.query',
  credentials: readonly [string, CheckedCredential][],
  exchange: ExchangeSource,
): [string, string][] | Promise<[string, string][]> {
  if (credentials.every(isFixed)) return credentials as [string, string][]
  return Promise.all(
    credentials.map(async ([name, credential]): Promise<[string, string]> => {
      if (typeof credential === 'string') return [name, credential]
      try {
        return [name, await credential(exchange.hookView())]
      } catch (privateCause) {
        const message = `The credentials for the provider are not available (${option}.${name})`
        throw new AiProxyError('credentials_unavailable', message, { privateCause })
      }
    }),
  )
}

function isFixed([, credential]: [string, CheckedCredential]): boolean {
  return typeof credential === 'string'
}
