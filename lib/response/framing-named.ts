import type { CompleteFormat } from '../formats/index.js'
import { type Framing, framings } from '../framing/index.js'

/** Finds a framing by its name: one of the format's own, or one of the package's. */
export function framingNamed(name: string | undefined, format: CompleteFormat): Framing | undefined {
  if (name === undefined) return undefined
  return [...format.ownFramings, ...Object.values<Framing>(framings)].find((each) => each.name === name)
}
