import type { ParsedMessage } from './message.js'

/** Returns a parsed message without the fields that are `undefined`, empty or `false`. */
export function parsedMessage(fields: ParsedMessage): ParsedMessage {
  const message: Record<string, unknown> = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name as keyof ParsedMessage]
    if (value) message[name] = value
  }
  return message
}
