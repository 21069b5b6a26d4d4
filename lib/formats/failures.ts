import { textAt, valueAt } from './fields.js'

/** A server-sent event without a name. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`
}

/** Whether a body has something under `error`. */
export function hasError(body: unknown): boolean {
  return Boolean(valueAt(body, 'error'))
}

/** What stands under `error`, in a sentence; `undefined` where nothing does. */
export function errorIn(message: unknown): string | undefined {
  return hasError(message) ? sentenceOf(valueAt(message, 'error')) : undefined
}

/** What an error says: it is a sentence itself, or has one. */
export function sentenceOf(error: unknown): string {
  if (typeof error === 'string' && error !== '') return error
  for (const field of ['message', 'Message', 'code', 'type']) {
    const said = textAt(error, field)
    if (said) return said
  }
  return 'The provider says that it failed'
}
