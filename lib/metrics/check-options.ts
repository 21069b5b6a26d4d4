import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'

/**
 * Checks that options are an object with only known names, and checks the options that all observers share.
 *
 * @throws TypeError if they are not valid
 */
export function checkOptions(caller: string, options: unknown, known: readonly string[]): void {
  rejectUnknownOptions(caller, '', options, known)
  const { models, maxModels } = options as { models?: unknown; maxModels?: unknown }
  const isList = Array.isArray(models) && models.every((name) => typeof name === 'string')
  if (models !== undefined && !isList) rejectOption(caller, 'models', models, 'a list of model names')
  checkMaximum(caller, 'maxModels', maxModels)
}

/** @throws TypeError if it is neither a finite number of at least 0, nor `false` for no maximum, nor left out */
export function checkMaximum(caller: string, option: string, max: unknown): void {
  if (max === undefined || max === false || (typeof max === 'number' && max >= 0 && max < Infinity)) return
  rejectOption(caller, option, max, 'a number of at least 0, or false for no maximum')
}
