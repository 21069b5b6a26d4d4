import { valueAt } from './fields.js'

/** Where protocols have the temperature. */
const PLACES = [
  ['temperature'],
  ['generationConfig', 'temperature'],
  ['generation_config', 'temperature'],
  ['inferenceConfig', 'temperature'],
  ['options', 'temperature'],
  ['parameters', 'temperature'],
] as const

/** Returns the temperature that a request sets; `undefined` if it sets none, or several. */
export function temperatureOf(body: unknown): number | undefined {
  const found = PLACES.map((path) => valueAt(body, ...path)).filter((value) => typeof value === 'number')
  return found.length === 1 ? found[0] : undefined
}
