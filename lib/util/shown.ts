import { inspect } from 'node:util'

/** Returns a value as an error message shows it: short, whatever it is. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 100 })
}
