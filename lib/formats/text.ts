import type { BuiltInFormat, Wrapping } from './built-in.js'
import type { CompleteFormat } from './complete.js'
import { valueAt } from './fields.js'
import type { AnyFormatName, JsonObject, TextPlace } from './format.js'
import { findFormat } from './formats.js'

/** A message and its format: what `onEvent` gets, or a whole answer as `{ format, data }`. */
export interface MessageOfFormat {
  /** The name of its format. */
  readonly format: AnyFormatName
  /** Name of the event, if it is one and has a name. */
  readonly event?: string | undefined
  /** The message's JSON, parsed. */
  readonly data: unknown
}

/**
 * Returns the text that a message of a model carries: an event of a stream (`onEvent` gets one), or a whole answer. It is
 * what is new with the message, and what a user reads: the answer, or a refusal. Texts of several choices, or parts, are
 * joined. What only repeats earlier events is left out, so that the texts of a stream's events are its text. Arguments of
 * tool calls are JSON in pieces, and no text.
 *
 * @param message the event, or `{ format, data }`
 * @param kind `'text'`, or `'reasoning'` for what the model thought. Default `'text'`
 * @returns the text; `undefined` if the message has none
 * @throws TypeError if there is no format of that name: one of the app's own is known once a middleware was made with it
 */
export function textOf(message: MessageOfFormat, kind: 'text' | 'reasoning' = 'text'): string | undefined {
  const { data, places } = opened(message)
  const texts = places.filter((place) => place.kind === kind).map((place) => valueAt(data, ...place.path))
  return texts.length === 0 ? undefined : texts.join('')
}

/**
 * Returns the message with another text; the given one is not changed. What `onEvent` returns of it goes to the client.
 *
 * @param message the event, or `{ format, data }`
 * @param text a string takes the place of what {@link textOf} returns; of several texts it takes the place of the first,
 *   and the others become empty. A function gets every text that the model wrote, one by one, also its reasoning and what
 *   only repeats earlier events, and returns what takes its place: so nothing is missed that must be redacted
 * @returns the same message if it has no text, or no text changes
 * @throws TypeError if there is no format of that name, or if a function returns no string
 */
export function withText<M extends MessageOfFormat>(message: M, text: string | ((text: string) => string)): M {
  const { data, places, wrapping } = opened(message)
  let changed = data
  let isFirst = true
  for (const { path, kind } of places) {
    if (typeof text === 'string' && kind !== 'text') continue
    const before = valueAt(data, ...path) as string
    const after: unknown = typeof text === 'function' ? text(before) : isFirst ? text : ''
    if (typeof after !== 'string') throw new TypeError(`withText: the function returned no string, but ${typeof after}`)
    isFirst = false
    if (after !== before) changed = withValueAt(changed, path, after) as JsonObject
  }
  if (changed === data) return message
  return { ...message, data: wrapping ? wrapping.wrap(message.data as JsonObject, changed) : changed }
}

interface Opened {
  /** The message, or the one within. */
  readonly data: JsonObject
  readonly places: readonly TextPlace[]
  readonly wrapping: Wrapping | undefined
}

const NOTHING: Opened = { data: {}, places: [], wrapping: undefined }

function opened({ format: name, event, data }: MessageOfFormat): Opened {
  const format: (CompleteFormat & Partial<Pick<BuiltInFormat, 'wrapping'>>) | undefined = findFormat(name)
  if (!format) throw new TypeError(`There is no format ${JSON.stringify(name)}`)
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return NOTHING
  const { wrapping } = format
  const inner = wrapping ? wrapping.unwrap(data as JsonObject) : (data as JsonObject)
  if (!inner) return NOTHING
  const places = format.textsIn(inner, event).filter(({ path }) => typeof valueAt(inner, ...path) === 'string')
  return { data: inner, places, wrapping }
}

/** A copy of a value with another one at a path; all that does not lie on the path is shared. */
function withValueAt(root: unknown, [key, ...rest]: TextPlace['path'], value: unknown): unknown {
  if (key === undefined) return value
  const inner = withValueAt(valueAt(root, key), rest, value)
  return Array.isArray(root) ? root.with(key as number, inner) : { ...(root as object), [key]: inner }
}
