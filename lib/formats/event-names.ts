import { isObject } from '../json/json.js'
import { type CompleteFormat, sendsObjects } from './complete.js'

const ERROR_EVENT = /^(?:error|exception)$/i

/** More names of events that are errors: `stream.error`, `overloaded_error`, `throttlingException`, `run.failed`. */
const ERROR_EVENTS = [
  /^error[._-]|(?:^|[._-])(?:error|exception|failed|failure)$/i,
  /[a-z](?:Error|Exception|Failure)$/,
]

/** What they may be of without the answer having failed: a model goes on after a tool that failed. */
const PARTIAL = /tool|call|step|function|item/i

/** Of a name that is longer, this much of its end is read. */
const MAX_NAME_CHARS = 100

/**
 * Returns whether an event is an error by its name, whatever its data. In a protocol that is not known, what has such a
 * name may be anything but `error` itself.
 */
export function isErrorEvent(event = '', format: CompleteFormat): boolean {
  const name = event.slice(-MAX_NAME_CHARS)
  if (ERROR_EVENT.test(name)) return true
  return sendsObjects(format) && ERROR_EVENTS.some((pattern) => pattern.test(name)) && !PARTIAL.test(name)
}

const TOOL_FIELDS = ['tool', 'tool_name', 'tool_call_id', 'tool_use_id', 'toolName', 'toolCallId']
const ASIDE = /^(?:tool(?:\b|_)|(?:warn(?:ing)?|info|notice|debug|progress|retry)$)/i

/** Returns whether a message is about a tool that was called, or another attempt, or says that it is no more than a note. */
export function isAside(event = '', data: unknown): boolean {
  if (!isObject(data)) return false
  const { type, level, severity } = data
  const names = [event, type, level, severity]
  return (
    TOOL_FIELDS.some((field) => Boolean(data[field])) ||
    names.some((name) => typeof name === 'string' && ASIDE.test(name))
  )
}
