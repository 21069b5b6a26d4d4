import { validateHeaderValue } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { Credential } from '../api/options.js'
import { HookFault } from '../options/hook-errors.js'

/**
 * A function of `auth` whose value is looked at.
 *
 * @param option that it was given as, `auth.headers.authorization`
 * @returns a function that rejects with a {@link HookFault} where the value cannot go to the provider
 */
export function checkedCredential(option: string, credential: Exclude<Credential, string>): () => Promise<string> {
  return async () => {
    const value: unknown = await credential()
    if (typeof value !== 'string' || value === '') throw new HookFault(`${option} gave no string`)
    if (option.startsWith('auth.headers.')) checkHeaderValue(option, value)
    return value
  }
}

function checkHeaderValue(option: string, value: string): void {
  try {
    validateHeaderValue(option, value)
  } catch {
    throw new HookFault(`${option} gave what no header can carry`)
  }
}

/**
 * The credentials as they are for this request: functions are called, and waited for.
 *
 * @throws AiProxyError `credentials_unavailable`; what a function threw may tell a secret, so the error names the
 * option alone and keeps the rest where no logger prints it
 */
export function resolveCredentials(
  option: 'auth.headers' | 'auth.query',
  credentials: readonly [string, Credential][],
): [string, string][] | Promise<[string, string][]> {
  if (credentials.every(isFixed)) return credentials as [string, string][]
  return Promise.all(
    credentials.map(async ([name, credential]): Promise<[string, string]> => {
      if (typeof credential === 'string') return [name, credential]
      try {
        return [name, await credential()]
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
