import type { ParsedMessage } from './message.js'

/** A reading of what is told: fields that are `undefined`, empty or `false` are left out. */
export function readingOf(fields: ParsedMessage): ParsedMessage {
  const told: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name as keyof ParsedMessage]
    if (value) told[name] = value
  }
  return told
}
