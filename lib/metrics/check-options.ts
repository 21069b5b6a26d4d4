import { inspect } from 'node:util'
import { rejectUnknownOptions } from '../util/known-options.js'

/** @throws TypeError that names the function, the option, the value it got and what it takes */
export function invalidOption(caller: string, option: string, got: unknown, takes: string): never {
  throw new TypeError(`${caller}: ${option} takes ${takes}; got ${inspect(got, { depth: 0, maxStringLength: 100 })}`)
}

/**
 * Checks that options are an object with only known names, and checks the options that all observers share.
 *
 * @throws TypeError if they are not valid
 */
export function checkOptions(caller: string, options: unknown, known: readonly string[]): void {
  rejectUnknownOptions(caller, '', options, known)
  const { models, maxModels } = options as { models?: unknown; maxModels?: unknown }
  const isList = Array.isArray(models) && models.every((name) => typeof name === 'string')
  if (models !== undefined && !isList) invalidOption(caller, 'models', models, 'a list of model names')
  if (maxModels !== undefined && !(typeof maxModels === 'number' && maxModels >= 0)) {
    invalidOption(caller, 'maxModels', maxModels, 'a number of at least 0')
  }
}
