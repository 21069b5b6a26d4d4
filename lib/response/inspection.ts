import type { Exchange } from '../exchange/exchange.js'
import type { JsonReading } from '../exchange/metering.js'
import { pageInstead } from './ending.js'

/** What is known of an exchange while the beginning of its answer is held. Nothing of it is changed. */
export type InspectedExchange = Pick<
  Exchange,
  'format' | 'asksForStream' | 'req' | 'path' | 'client' | 'isAnsweredInJson' | 'limits' | 'secrets'
>

/** Looks into a body of a known kind. Pure: bytes go in, and what they show comes out. */
export interface Inspection {
  /** Whether something has arrived that the client waits for. */
  readonly hasBegun: boolean
  /** @returns what the body shows now; `undefined` if more of it is needed */
  push(chunk: Buffer, now: number): Verdict | undefined
  /** Ends the body, after a clean end in HTTP. */
  end(now: number): Verdict
  /** From now on, the first event that arrives decides, whatever it is. */
  hurry(): void
}

/** Why an answer may go to the client. */
export type ReadyReason =
  /** The model has written something, or it has ended its answer. */
  | 'content'
  /** The body ended without an error. */
  | 'end'
  /** As many events or bytes were held as may be, for as long as may be. */
  | 'bound'
  /** Nothing can be seen in the body: it is binary, or a text of an unknown kind, or there is none. */
  | 'unreadable'

/**
 * How an answer failed before any content. `error-event`: the provider reported an error. `reset`: the connection broke,
 * or the bytes are damaged. `truncated`: the body ended too early. `page`: it is HTML.
 */
export type FailureKind = 'error-event' | 'reset' | 'truncated' | 'page'

/** What the beginning of an answer shows. */
export type Verdict =
  | {
      readonly because: ReadyReason
      /** What the answer says, if it is JSON that was read whole. */
      readonly read?: JsonReading | undefined
    }
  | {
      readonly kind: FailureKind
      /** The HTTP status that the error stands for; `undefined` if it does not show it. */
      readonly status: number | undefined
      readonly message: string
      /** Number of bytes of the body up to the end of the error; `undefined` if all of them belong to it. */
      readonly end?: number | undefined
    }

export const CONTENT: Verdict = { because: 'content' }
export const END = { because: 'end' } as const
export const BOUND: Verdict = { because: 'bound' }
export const UNREADABLE: Verdict = { because: 'unreadable' }
export const RESET: Verdict = { kind: 'reset', status: undefined, message: 'The provider broke off its answer' }
export const TRUNCATED: Verdict = {
  kind: 'truncated',
  status: undefined,
  message: 'The provider ended its answer before it was complete',
}
export const PAGE: Verdict = { kind: 'page', status: undefined, message: pageInstead().message }
