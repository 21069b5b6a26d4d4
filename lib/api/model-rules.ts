/** Models that may be asked for: their names, RegExps that match them, or `'all'`. */
export type ModelRules = 'all' | readonly (string | RegExp)[]
