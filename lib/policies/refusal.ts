import { AiProxyError, type AnyFailureCode, isFailureCode } from '../api/errors.js'
import type { Refusal } from '../api/policy.js'
import { isObject } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { headerFault } from '../util/header-fault.js'
import { ignoreRejection, ignoreRejectionsIn, isThenable } from '../util/promises.js'
import { shown } from '../util/shown.js'

/** Codes go into metrics as labels. */
const OWN_CODE = /^x_[a-z0-9_]{1,62}$/

/** Headers that say how to read a body, which is never the policy's own. */
const OF_BODY: ReadonlySet<string> = new Set(['content-encoding', 'content-type'])

/**
 * Converts what a policy said to the exchange's failure.
 *
 * @param policy its name
 * @throws HookFault if it is no refusal
 */
export function toPolicyFailure(policy: string, refusal: unknown): AiProxyError {
  try {
    return failureOf(policy, refusal)
  } catch (error) {
    ignoreRejectionsIn(refusal)
    throw error
  }
}

function failureOf(policy: string, refusal: unknown): AiProxyError {
  if (ignoreRejection(refusal)) throw new HookFault(`the policy ${policy} must refuse at once; got a promise`)
  if (!isObject(refusal)) throw new HookFault(`the policy ${policy} must refuse with an object; got ${shown(refusal)}`)
  const { code = 'policy_refused', message, status, headers } = refusal as Partial<Refusal>
  if (typeof message !== 'string' || message === '') {
    throw new HookFault(`the policy ${policy} must refuse with a message for the client; got ${shown(message)}`)
  }
  if (typeof code !== 'string' || !(isFailureCode(code) || OWN_CODE.test(code))) {
    throw new HookFault(
      `the policy ${policy} must refuse with a known code, or one like x_too_late; got ${shown(code)}`,
    )
  }
  if (status !== undefined && !(Number.isInteger(status) && status >= 400 && status <= 599)) {
    throw new HookFault(`the policy ${policy} must refuse with a status from 400 to 599; got ${shown(status)}`)
  }
  return new AiProxyError(code as AnyFailureCode, message, {
    ...(status !== undefined && { status }),
    ...(headers && { headers: checkedHeaders(policy, headers) }),
  })
}

/** Returns headers by lower-case names. @throws HookFault if one of them cannot be sent */
export function checkedHeaders(policy: string, headers: unknown): Record<string, string> {
  try {
    return lowerCased(policy, headers)
  } catch (error) {
    ignoreRejectionsIn(headers)
    throw error
  }
}

function lowerCased(policy: string, headers: unknown): Record<string, string> {
  if (!isObject(headers) || isThenable(headers))
    throw new HookFault(`the policy ${policy} must give headers as an object; got ${shown(headers)}`)
  const checked: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    const fault = OF_BODY.has(name.toLowerCase()) ? `${name} describes the body` : headerFault(name, value)
    if (fault) throw new HookFault(`the policy ${policy} gave a header that cannot be sent: ${fault}`)
    checked.push([name.toLowerCase(), value as string])
  }
  return Object.fromEntries(checked)
}
