import type { HookedExchange } from '../api/hooks.js'
import type { Journal } from '../api/journal.js'
import type { AiProxyOptions } from '../api/options.js'
import { shown, shownResult } from '../util/shown.js'
import { defaults } from './defaults.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { resolveJournal } from './journal.js'
import { check, invalidOption, objectOrFalse, orDefault } from './validate.js'

/** The `resume` option with its defaults. */
export interface ResolvedResume {
  /** `undefined` if the middleware makes one of its own. */
  readonly journal: Journal | undefined
  readonly windowMs: number
  readonly graceMs: number
  readonly maxBytes: number
  /** Returns the reader; `undefined` if nobody could come back. If the app's function fails, reports that and rejects. */
  readonly who: (exchange: HookedExchange) => string | undefined | Promise<string | undefined>
  readonly when: (exchange: HookedExchange) => boolean
}

const names = ['journal', 'windowMs', 'graceMs', 'maxBytes', 'who', 'when'] as const

/**
 * Validates the `resume` option.
 *
 * @param identifies whether the option `identify` is set
 * @throws TypeError
 */
export function resolveResume(
  option: AiProxyOptions['resume'],
  identifies: boolean,
  hookErrors: HookErrors,
): ResolvedResume | undefined {
  const takes = 'an object like { who: (req) => req.user.id }, or false'
  const given = objectOrFalse('resume', orDefault(option, defaults.resume), names, [], takes)
  if (given === false) return undefined
  const { journal, windowMs, graceMs, maxBytes, who, when } = given
  if (who === undefined && !identifies) {
    invalidOption('resume.who', who, 'a function that says who asks, because the option `identify` is not set')
  }
  const asked = check.optionalFunction('resume.who', who)
  const kept = check.optionalFunction('resume.when', when)
  const named = hookErrors.reporting(
    'resume',
    async (exchange: HookedExchange) => checkedReader(await asked?.(exchange.req)),
    (exchange) => exchange,
  )
  return {
    journal: resolveJournal('resume.journal', journal),
    windowMs: check.number('resume.windowMs', orDefault(windowMs, defaults.resumeOptions.windowMs), { above: 0 }),
    graceMs: check.number('resume.graceMs', orDefault(graceMs, defaults.resumeOptions.graceMs), { from: 0 }),
    maxBytes: check.number('resume.maxBytes', orDefault(maxBytes, defaults.resumeOptions.maxBytes), { above: 0 }),
    who: asked ? named : subjectOf,
    when: hookErrors.reporting(
      'resume',
      (exchange: HookedExchange) => checkedBoolean('resume.when', kept ? kept(exchange) : true),
      (exchange) => exchange,
    ),
  }
}

/** Two tenants may use the same id. */
function subjectOf({ subject }: HookedExchange): string | undefined {
  return subject && JSON.stringify([subject.tenant ?? null, subject.id])
}

function checkedReader(returned: unknown): string | undefined {
  if (returned === undefined || returned === null) return undefined
  if (typeof returned === 'string' && returned !== '') return returned
  throw new HookFault(`resume.who returns a text that is not empty, undefined or null, not ${shown(returned)}`)
}

/** @throws HookFault if it is neither true nor false */
export function checkedBoolean(name: string, returned: unknown): boolean {
  if (typeof returned === 'boolean') return returned
  throw new HookFault(`${name} returns true or false, not ${shownResult(returned)}`)
}
