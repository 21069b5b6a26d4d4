/** What a body is, according to its first bytes. */
export type FirstBytes =
  /** A server-sent event, or a comment. */
  | 'event'
  /** A JSON object, which may be the first of several lines. */
  | 'object'
  /** A JSON object over several lines, which cannot be one of several. */
  | 'printed-object'
  | 'array'
  /** A message of an AWS event stream. */
  | 'aws-message'
  /** None of these. */
  | 'other'

/** A body that begins with more blank bytes than this is of no known kind. */
const MAX_BLANK_BYTES = 4096

/** A byte order mark, as latin1. */
const BOM = '\u00EF\u00BB\u00BF'
/** A field has a value after a colon, or neither (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
const EVENT_FIELD = /^(?:data|event|id|retry)?:|^(?:data|event|id|retry)[\r\n]/
const EVENT_FIELDS = ['data:', 'event:', 'id:', 'retry:', ':']

/**
 * Detects what a body is by its first bytes. A byte order mark and blank lines may precede them.
 *
 * @param start of the body, all that has arrived so far
 * @param isAll no more bytes follow
 * @returns `undefined` if more bytes are needed
 */
export function readFirstBytes(start: Buffer, isAll: boolean): FirstBytes | undefined {
  // Lengths of 16 MiB and more do not occur.
  if (start[0] === 0) return start.length < AWS_LENGTHS_BYTES && !isAll ? undefined : readLengths(start)
  const text = start.toString('latin1', 0, MAX_BLANK_BYTES + BOM.length)
  if (!isAll && BOM.startsWith(text)) return undefined
  const lines = (text.startsWith(BOM) ? text.slice(BOM.length) : text).replace(/^(?:[ \t]*[\r\n])+/, '')
  if (EVENT_FIELD.test(lines)) return 'event'
  const value = lines.replace(/^[ \t\r\n]+/, '')
  const isUndecided = value === '' ? text.length < MAX_BLANK_BYTES : isBeginningOfField(lines)
  if (isUndecided && !isAll) return undefined
  if (value.startsWith('[')) return 'array'
  return value.startsWith('{') ? readObject(value, isAll) : 'other'
}

/** Bytes of a message's length, and of that of its headers: https://smithy.io/2.0/aws/amazon-eventstream.html */
const AWS_LENGTHS_BYTES = 8

function readLengths(start: Buffer): FirstBytes {
  const isMessage = start.length >= AWS_LENGTHS_BYTES && start.readUInt32BE(4) < start.readUInt32BE(0)
  return isMessage ? 'aws-message' : 'other'
}

function isBeginningOfField(line: string): boolean {
  return EVENT_FIELDS.some((field) => field.startsWith(line))
}

function readObject(value: string, isAll: boolean): FirstBytes | undefined {
  const next = /[^ \t]/.exec(value.slice(1))?.[0]
  if (next === undefined && !isAll && value.length < MAX_BLANK_BYTES) return undefined
  return next === '\n' || next === '\r' ? 'printed-object' : 'object'
}
