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
  if (maxModels !== undefined && !(typeof maxModels === 'number' && maxModels >= 0)) {
    rejectOption(caller, 'maxModels', maxModels, 'a number of at least 0')
  }
}
