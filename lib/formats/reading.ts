import type { Reading } from './format.js'

/** A reading of what is told: fields that are `undefined`, empty or `false` are left out. */
export function readingOf(fields: Reading): Reading {
  const told: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name as keyof Reading]
    if (value) told[name] = value
  }
  return told
}
