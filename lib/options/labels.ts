import type { HookedExchange } from '../api/hooks.js'
import type { Labels } from '../api/labels.js'
import { isObject } from '../json/json.js'
import { isLabelName, LABEL_NAME_RULE, MAX_LABELS } from '../util/label-name.js'
import { catchRejection, ignoreRejectionsIn, isThenable } from '../util/promises.js'
import { shown } from '../util/shown.js'
import { type HookErrors, HookFault } from './hook-errors.js'

/** Maximum length of a label's value; longer ones are cut. */
const MAX_VALUE_LENGTH = 128

/** Returns the labels of one exchange; `undefined` if the app's function failed. Never throws. */
export type LabelsOf = (exchange: HookedExchange) => Readonly<Record<string, string>> | undefined

/** Wraps the function in `labels` so that it is checked, and what it throws is reported. */
export function compileLabels(
  option: ((exchange: HookedExchange) => Labels) | undefined,
  hookErrors: HookErrors,
): LabelsOf | undefined {
  if (!option) return undefined
  return (exchange) => {
    const report = (error: unknown) => hookErrors.report('labels', error, exchange)
    let returned: unknown
    try {
      returned = option(exchange)
      if (catchRejection(returned, report)) throw new HookFault('labels must return an object at once; got a promise')
      return checkedLabels('labels must return', returned)
    } catch (error) {
      ignoreRejectionsIn(returned)
      report(error)
      return undefined
    }
  }
}

/**
 * Returns labels, with long values cut.
 *
 * @param what what an error begins with: `labels must return`
 * @throws HookFault if they are not an object of a few short labels
 */
export function checkedLabels(what: string, returned: unknown): Record<string, string> {
  if (!isObject(returned) || isThenable(returned)) throw new HookFault(`${what} an object; got ${shown(returned)}`)
  const labels: [string, string][] = []
  for (const name of Object.keys(returned)) {
    const value = returned[name]
    if (value === undefined) continue
    if (!isLabelName(name)) throw new HookFault(`${what} names of ${LABEL_NAME_RULE}; got ${shown(name)}`)
    if (typeof value !== 'string') throw new HookFault(`${what} strings; ${name} is ${shown(value)}`)
    if (labels.length === MAX_LABELS) throw new HookFault(`${what} at most ${MAX_LABELS} labels; got more`)
    labels.push([name, bounded(value)])
  }
  // Unlike assignment, this makes `__proto__` a name like any other.
  return Object.fromEntries(labels)
}

/** Copies the value: metrics keep it for ever, and a part of a string keeps the whole string in memory. */
function bounded(value: string): string {
  return Buffer.from(value.slice(0, MAX_VALUE_LENGTH)).toString()
}
