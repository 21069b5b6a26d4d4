import { validateHeaderValue } from 'node:http'
import type { HookedExchange } from '../api/hooks.js'
import type { Credential } from '../api/provider-options.js'
import { kindOf } from '../util/shown.js'
import { HookFault } from './hook-errors.js'

/** A secret, or the app's function for it, which rejects with a {@link HookFault} if its value cannot be sent. */
export type CheckedCredential = string | ((exchange: HookedExchange) => Promise<string>)

/** Results of `Bearer ${process.env.KEY}`, and of `Bearer ${process.env.KEY ?? ''}`, if there is no such variable. */
const UNSET = /^(?:\S+ )?undefined$/
const EMPTY = /^(?:(?:bearer|basic|token)\s)?\s*$/i

/** Says what is wrong with a credential, without showing it; `undefined` if no fault is found. */
export function faultOf(credential: string): string | undefined {
  if (EMPTY.test(credential)) return credential.trim() === '' ? 'an empty string' : 'a scheme without a credential'
  return UNSET.test(credential) ? 'a string that ends in "undefined"' : undefined
}

/** Options of headers, of one target or of several. */
const HEADER = /^(?:targets\[\d+\]\.)?auth\.headers\./

/**
 * Wraps a function of `auth` so that its value is checked.
 *
 * @param option name of the option, such as `auth.headers.authorization`
 * @returns a function that rejects with a {@link HookFault} if the value cannot be sent to the provider
 */
export function checkedCredential(
  option: string,
  credential: Exclude<Credential, string>,
): (exchange: HookedExchange) => Promise<string> {
  return async ({ req }) => {
    const value: unknown = await credential(req)
    const fault = typeof value === 'string' ? faultOf(value) : kindOf(value)
    if (typeof value !== 'string' || fault) {
      throw new HookFault(`${option} must return a string that is not empty, not ${fault}`)
    }
    if (HEADER.test(option)) checkHeaderValue(option, value)
    return value
  }
}

function checkHeaderValue(option: string, value: string): void {
  try {
    validateHeaderValue(option, value)
  } catch {
    throw new HookFault(`${option} returned a value that no header can carry`)
  }
}
