import type { HookedExchange } from '../api/hooks.js'
import type { AiProxyOptions } from '../api/options.js'
import type { Subject } from '../api/subject.js'
import { isObject } from '../json/json.js'
import { ignoreRejectionsIn } from '../util/promises.js'
import { shown } from '../util/shown.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { isRejection } from './hook-rejection.js'
import { checkedLabels } from './labels.js'
import { compileModelRules, type ModelFilter } from './models.js'
import { check } from './validate.js'

/** Long enough for an address or a URL; ids are kept in records, in metrics and in stores. */
const MAX_ID_LENGTH = 256

/** A subject, and the models that it may ask for; `undefined` if it may ask for all. */
interface IdentifiedSubject {
  readonly subject: Subject
  readonly models: ModelFilter | undefined
}

/**
 * Asks the app whose request it is; `undefined` if it returns `null`. Rejects with what the app's function threw, or with a
 * {@link HookFault}, and has already reported either, unless it refuses the request on purpose.
 */
export type IdentifySubject = (exchange: HookedExchange) => Promise<IdentifiedSubject | undefined>

/** Compiles the `identify` option. @throws TypeError if it is not a function */
export function compileIdentify(
  option: AiProxyOptions['identify'],
  hookErrors: HookErrors,
): IdentifySubject | undefined {
  const identify = check.optionalFunction('identify', option)
  if (!identify) return undefined
  const asked = async ({ req }: HookedExchange) => identified(await identify(req))
  return hookErrors.reporting('identify', asked, (exchange) => exchange, isRejection)
}

/** @throws HookFault if it is no subject: above all, returning nothing must not let a request pass */
function identified(returned: unknown): IdentifiedSubject | undefined {
  if (returned === null) return undefined
  const given = typeof returned === 'string' ? { id: returned } : returned
  try {
    if (!isObject(given)) throw new HookFault(`identify must return an id, a subject or null; got ${shown(returned)}`)
    return checkedSubject(given, 'identify must return')
  } catch (error) {
    ignoreRejectionsIn(returned)
    throw error
  }
}

/**
 * Checks what the app says of a subject.
 *
 * @param says what an error begins with: `identify must return`
 * @throws HookFault if something of it is wrong
 */
export function checkedSubject(given: Readonly<Record<string, unknown>>, says: string): IdentifiedSubject {
  const { id, tenant, tier, models, labels } = given
  const checkedId = (name: string, value: unknown): string => {
    if (typeof value === 'string' && value !== '' && value.length <= MAX_ID_LENGTH) return value
    throw new HookFault(`${says} ${name}s of 1 to ${MAX_ID_LENGTH} characters; got ${shown(value)}`)
  }
  const optionalId = (name: string, value: unknown) => (value === undefined ? undefined : checkedId(name, value))
  const subject = {
    id: checkedId('id', id),
    tenant: optionalId('tenant', tenant),
    tier: optionalId('tier', tier),
    labels: labels === undefined ? undefined : checkedLabels(`${says} labels as`, labels),
  }
  return { subject: { ...given, ...subject }, models: checkedModels(models, says) }
}

function checkedModels(models: unknown, says: string): ModelFilter | undefined {
  try {
    return compileModelRules(models)
  } catch (error) {
    throw new HookFault(`${says} valid models: ${(error as Error).message}`)
  }
}
