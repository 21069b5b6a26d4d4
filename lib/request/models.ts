import { fail } from '../check.js'
import { AiProxyError } from '../errors.js'

/** Whether a model may be asked for. */
export type ModelFilter = (model: string) => boolean

/**
 * Compiles the `models` option.
 *
 * @throws TypeError where it is not a list of names and RegExps
 */
export function compileModels(option: unknown): ModelFilter | undefined {
  if (option === undefined) return undefined
  if (!Array.isArray(option)) fail('models', option, 'a list of model names and RegExps')
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

/**
 * Refuses a request for a model that is not among those allowed. One that names no model is refused, too: the provider
 * would choose one.
 *
 * @throws AiProxyError `model_not_allowed`
 */
export function admitModel(allows: ModelFilter, method: string, model: string | undefined): void {
  // Lists of models, and what else is only read, name none.
  if (method === 'GET' || method === 'HEAD') return
  if (model !== undefined && allows(model)) return
  const message = model === undefined ? 'The request names no model' : `The model ${model} is not allowed here`
  throw new AiProxyError('model_not_allowed', message)
}
