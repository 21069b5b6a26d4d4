import { isObject } from '../json/json.js'
import { rejectOption } from '../util/option-errors.js'
import { kindOf } from '../util/shown.js'
import type { BuiltInFormat, Wrapping } from './built-in.js'
import type { CompleteFormat } from './complete.js'
import { valueAt } from './fields.js'
import type { AnyFormatName, JsonObject, TextPlace } from './format.js'
import { findFormat } from './formats.js'
import { placesBelow } from './text-places.js'

/** A message and its format: an event that `onEvent` got, or a whole answer as `{ format, data }`. */
export interface MessageOfFormat {
  /** Name of its format. */
  readonly format: AnyFormatName
  /** Name of the event, if it has one. */
  readonly event?: string | undefined
  /** The message's parsed JSON. */
  readonly data: unknown
}

/**
 * Returns the new text in a message of a model, as a user reads it: the answer, or a refusal. The message is an event
 * of a stream (`onEvent` gets one) or a whole answer. Texts of several choices, or parts, are joined. Text that only
 * repeats earlier events is left out, so that the texts of a stream's events, joined, are its text. Arguments of tool
 * calls are JSON in pieces, not text.
 *
 * @param message the event, or `{ format, data }`
 * @param kind `'text'`, or `'reasoning'` for the model's reasoning. Default `'text'`
 * @returns the text; `undefined` if the message has none
 * @throws TypeError if an argument is invalid, or there is no format of that name. A format of the app is known once a
 *   middleware was created with it
 */
export function textOf(message: MessageOfFormat, kind: 'text' | 'reasoning' = 'text'): string | undefined {
  const { data, places } = locateTexts('textOf', message)
  if (kind !== 'text' && kind !== 'reasoning') rejectOption('textOf', 'kind', kind, "'text' or 'reasoning'")
  const texts = places.filter((place) => place.kind === kind).map((place) => valueAt(data, ...place.path))
  return texts.length === 0 ? undefined : texts.join('')
}

/**
 * Returns the message with another text, and leaves the given one unchanged. If `onEvent` returns the result, it goes
 * to the client.
 *
 * @param message the event, or `{ format, data }`
 * @param text a string replaces what {@link textOf} returns: if there are several texts, it replaces the first, and the
 *   others become empty. A function gets every text that the model wrote, one by one, and returns its replacement. It
 *   also gets reasoning and repetitions of earlier events, so that redaction misses nothing
 * @returns the same message if it has no text, or no text changes
 * @throws TypeError if an argument is invalid, there is no format of that name, or a function does not return a string
 */
export function withText<M extends MessageOfFormat>(message: M, text: string | ((text: string) => string)): M {
  const { data, places, wrapping } = locateTexts('withText', message)
  if (typeof text !== 'string' && typeof text !== 'function') {
    rejectOption('withText', 'text', text, 'a string or a function')
  }
  const copy = new PartialCopy(data)
  let isFirst = true
  for (const { path, kind } of places) {
    if (typeof text === 'string' && kind !== 'text') continue
    const before = valueAt(data, ...path) as string
    const after: unknown = typeof text === 'function' ? text(before) : isFirst ? text : ''
    if (typeof after !== 'string') {
      throw new TypeError(`withText: the function must return a string; got ${kindOf(after)}`)
    }
    isFirst = false
    if (after !== before) copy.set(path, after)
  }
  const changed = copy.root
  if (changed === data) return message
  return {
    ...message,
    data: wrapping ? wrapping.wrap(message.data as JsonObject, changed as JsonObject) : changed,
  }
}

interface LocatedTexts {
  /** The message, or the one that it wraps. */
  readonly data: unknown
  readonly places: readonly TextPlace[]
  readonly wrapping: Wrapping | undefined
}

const NOTHING: LocatedTexts = { data: {}, places: [], wrapping: undefined }

function locateTexts(caller: string, message: MessageOfFormat): LocatedTexts {
  if (!isObject(message)) rejectOption(caller, 'message', message, 'an event, or { format, data }')
  const { format: name, event, data } = message
  const format: (CompleteFormat & Partial<Pick<BuiltInFormat, 'wrapping'>>) | undefined = findFormat(name)
  if (!format) rejectOption(caller, 'format', name, 'the name of a built-in format, or of one that a middleware has')
  const isTextAt = (root: unknown) => (place: TextPlace) => typeof valueAt(root, ...place.path) === 'string'
  // An answer to several requests at once is a list of answers (TGI).
  if (Array.isArray(data)) {
    const places = data.flatMap((each: unknown, index) =>
      isObject(each) ? placesBelow([index], format.textsIn(each, event)) : [],
    )
    return { data, places: places.filter(isTextAt(data)), wrapping: undefined }
  }
  if (!isObject(data)) return NOTHING
  const { wrapping } = format
  const inner = wrapping ? wrapping.unwrap(data) : data
  if (!inner) return NOTHING
  return { data: inner, places: format.textsIn(inner, event).filter(isTextAt(inner)), wrapping }
}

type Container = Record<string | number, unknown>

/**
 * A copy of a value in which single values can be set. Everything off their paths is shared with the original, and each
 * list or object on them is copied once: an answer may have thousands of texts in one list.
 */
class PartialCopy {
  #root: unknown
  readonly #copies = new Set<unknown>()

  constructor(original: unknown) {
    this.#root = original
  }

  /** The copy; the original itself if nothing was set. */
  get root(): unknown {
    return this.#root
  }

  /** Sets the value at a path. The path must exist in the original. */
  set(path: TextPlace['path'], value: unknown): void {
    const last = path.at(-1)
    if (last === undefined) {
      this.#root = value
      return
    }
    this.#root = this.#ownCopy(this.#root)
    let container = this.#root as Container
    for (const key of path.slice(0, -1)) {
      container[key] = this.#ownCopy(container[key])
      container = container[key] as Container
    }
    container[last] = value
  }

  #ownCopy(container: unknown): unknown {
    if (this.#copies.has(container)) return container
    const copy = Array.isArray(container) ? container.slice() : { ...(container as object) }
    this.#copies.add(copy)
    return copy
  }
}
