import type { Readable } from 'node:stream'
import type { Metering } from '../exchange/metering.js'
import type { Framer, Framing } from '../framing/index.js'
import type { AnswerStart } from './answer-start.js'
import type { Decoder } from './decode.js'
import type { HeldAnswer } from './held-answer.js'
import type { ResponsePlan } from './response-plan.js'

/** How a body is sent to the client. */
export interface BodyPlan {
  readonly framer: Framer
  readonly metering: Metering | undefined
  /** Framing of the client's stream; `undefined` if the client gets none. */
  readonly framing: Framing | undefined
  /** The body is not a stream, and becomes one event of the client's stream. */
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
 * Decides how to send a body if its head does not say what it is.
 *
 * @param start the body's first bytes, all that have arrived so far
 * @param isAll no more bytes follow; then there must be a decision
 * @returns `undefined` if more bytes are needed
 */
export type DecideBodyPlan = (start: Buffer, isAll: boolean) => BodyPlan | undefined

/** Source of the answer, and how it is sent on. */
export interface ResponseSource {
  readonly body: Readable
  readonly bodyPlan: BodyPlan | DecideBodyPlan
  /** Looks at how the body begins, if it has to be a model's answer. */
  readonly answerStart?: AnswerStart | undefined
  /** Decoder of a compressed body. It ends with the exchange, even if nothing reads it any more. */
  readonly decoder: Decoder | undefined
  /** The end of the connection ends the body. */
  readonly isCloseDelimited: boolean
}
