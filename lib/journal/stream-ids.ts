import { createHash, randomBytes } from 'node:crypto'

/** 128 random bits, which nobody can guess. */
const ID_BYTES = 16
/** Tells two streams apart that a client may confuse. It is no secret. */
const EPOCH_BYTES = 6

const STREAM_ID = /^[\w-]{22}$/
const EVENT_ID = /^(?:([\w-]{8})\.)?(\d{1,15})$/

/** Creates the id of a stream: 22 characters. */
export function newStreamId(): string {
  return randomBytes(ID_BYTES).toString('base64url')
}

/** Creates an epoch: 8 characters. */
export function newEpoch(): string {
  return randomBytes(EPOCH_BYTES).toString('base64url')
}

/** Returns whether a text can be the id of a stream. */
export function isStreamId(text: string): boolean {
  return STREAM_ID.test(text)
}

/** The position in a stream: the number of an event, and the epoch if it was given. */
export interface EventId {
  readonly epoch: string | undefined
  readonly number: number
}

/** Reads `<epoch>.<n>` or `<n>`; `undefined` if it is neither. */
export function parseEventId(text: string): EventId | undefined {
  const found = EVENT_ID.exec(text.trim())
  return found ? { epoch: found[1], number: Number(found[2]) } : undefined
}

/** Returns a short text that distinguishes subjects without naming them. */
export function subjectKey(subject: string): string {
  return createHash('sha256').update(subject).digest('base64url').slice(0, 22)
}
