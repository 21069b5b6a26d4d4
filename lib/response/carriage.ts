import type { Readable } from 'node:stream'
import type { Metering } from '../exchange/metering.js'
import type { Framer, Framing } from '../framing/index.js'
import type { Decoder } from './decode.js'
import type { HeldAnswer } from './held-answer.js'
import type { ResponsePlan } from './response-plan.js'

/** How a body is carried. */
export interface Carriage {
  readonly framer: Framer
  readonly metering: Metering | undefined
  /** How the client's stream is framed; `undefined` if the client gets none. */
  readonly framing: Framing | undefined
  /** The body is no stream, and becomes one event of the client's stream. */
  readonly isEnclosed: boolean
  /** The answer is held until the app has seen it. */
  readonly held?: PendingAnswer
}

/** A JSON answer that waits for the app, and how it is to be sent. */
export interface PendingAnswer {
  readonly answer: HeldAnswer
  readonly plan: ResponsePlan
}

/**
 * Decides how a body is carried whose head does not say what it is.
 *
 * @param start the body's first bytes, all that have come so far
 * @param isAll no more bytes follow; then there must be a decision
 * @returns `undefined` if it takes more bytes to tell
 */
export type DecideCarriage = (start: Buffer, isAll: boolean) => Carriage | undefined

/** What the answer is read from, and how it is carried. */
export interface ResponseSource {
  readonly body: Readable
  readonly carriage: Carriage | DecideCarriage
  /** What decodes the body if it came compressed. It ends with the exchange, even if nobody reads it any more. */
  readonly decoder: Decoder | undefined
  /** The end of the connection is the end of the body. */
  readonly isCloseDelimited: boolean
}
