import { validateHeaderValue } from 'node:http'
import type { Request } from 'express'
import type { Credential } from '../api/options.js'
import { HookFault } from './hook-errors.js'

/**
 * A function of `auth` whose value is looked at.
 *
 * @param option that it was given as, `auth.headers.authorization`
 * @returns a function that rejects with a {@link HookFault} where the value cannot go to the provider
 */
export function checkedCredential(
  option: string,
  credential: Exclude<Credential, string>,
): (req: Request) => Promise<string> {
  return async (req) => {
    const value: unknown = await credential(req)
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
