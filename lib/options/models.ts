import { fail } from './validate.js'
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
