import type { HookedExchange } from '../api/hooks.js'
import type { AiProxyOptions } from '../api/options.js'
import { type HookErrors, HookFault } from './hook-errors.js'
import { fail } from './validate.js'

/** Whether a model may be asked for. */
export type ModelFilter = (model: string) => boolean

/** Finds the models that one request may ask for; `undefined` if it may ask for all. It reports what the app's code throws. */
export type ModelsOf = (exchange: HookedExchange) => Promise<ModelFilter | undefined>

/**
 * Compiles the `models` option.
 *
 * @throws TypeError if it is neither a list of names and RegExps, nor `'all'`, nor a function
 */
export function compileModels(
  option: AiProxyOptions['models'],
  hookErrors: HookErrors,
): { models: ModelFilter | undefined; modelsOf: ModelsOf | undefined } {
  if (typeof option !== 'function') return { models: compileModelRules(option), modelsOf: undefined }
  const modelsOf = async ({ req }: HookedExchange) => checkedRules(await option(req))
  return { models: undefined, modelsOf: hookErrors.watched('models', modelsOf, (exchange) => exchange) }
}

/**
 * Compiles a list of models.
 *
 * @returns `undefined` for all of them
 * @throws TypeError if it is not a list of names and RegExps
 */
export function compileModelRules(option: unknown): ModelFilter | undefined {
  if (option === undefined || option === 'all') return undefined
  if (!Array.isArray(option)) fail('models', option, "a list of model names and RegExps, 'all', or a function")
  const names = new Set<string>()
  const patterns: RegExp[] = []
  option.forEach((rule: unknown, at) => {
    if (typeof rule === 'string' && rule !== '') names.add(rule)
    // Without the flags that make a RegExp remember where it stopped.
    else if (rule instanceof RegExp) patterns.push(new RegExp(rule.source, rule.flags.replace(/[gy]/g, '')))
    else fail(`models[${at}]`, rule, "a model's name, or a RegExp")
  })
  return (model) => names.has(model) || patterns.some((pattern) => pattern.test(model))
}

/** @throws HookFault if a function returned no list, nothing above all: that must not open every model */
function checkedRules(returned: unknown): ModelFilter | undefined {
  try {
    return compileModelRules(returned ?? null)
  } catch (error) {
    throw new HookFault(`The function in \`models\` returned what cannot be used: ${(error as Error).message}`)
  }
}
