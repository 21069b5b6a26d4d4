import type { Reading } from './format.js'

/** A reading of what is told: fields that are `undefined`, empty or `false` are left out. */
export function readingOf(fields: Reading): Reading {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => Boolean(value)))
}
