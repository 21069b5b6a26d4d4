import { isObject } from '../json/json.js'
import { isThenable } from '../util/promises.js'
import { shownResult } from '../util/shown.js'
import type { QuotaCharge } from './options.js'

/**
 * Checks an amount that a function of the app returned: one that is no amount would count as nothing.
 *
 * @param name what the message calls it
 * @throws TypeError if it is not a number of at least 0
 */
export function checkedAmount(name: string, amount: unknown): number {
  if (typeof amount === 'number' && Number.isFinite(amount) && amount >= 0) return amount
  throw new TypeError(`quota: ${name} has to be a number of at least 0; got ${shownResult(amount)}`)
}

/** @throws TypeError if it is no object, or one of its amounts is given and wrong */
export function checkedCharge(charge: QuotaCharge | undefined): QuotaCharge | undefined {
  if (charge === undefined || charge === null) return undefined
  if (isThenable(charge) || !isObject(charge)) {
    const got = shownResult(charge)
    throw new TypeError(`quota: what \`charge\` returns has to be an object like { tokens, cost }; got ${got}`)
  }
  for (const kind of ['tokens', 'cost'] as const) {
    const amount: unknown = charge[kind]
    if (amount !== undefined) checkedAmount(`the \`${kind}\` that \`charge\` returns`, amount)
  }
  return charge
}
