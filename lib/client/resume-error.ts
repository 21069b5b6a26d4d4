/**
 * Why a stream could not be resumed:
 * - `gone`: it is no longer kept, or is another one than that which broke (410, or events with another epoch);
 * - `not_found`: the server does not know it, or it belongs to another user (404);
 * - `refused`: the server refused to go on (401, 403, or another status that no retry changes);
 * - `retries_exhausted`: no attempt brought another event;
 * - `wait_too_long`: the server asked for a longer wait than five minutes;
 * - `no_url`: the answer has no usable `x-stream-url`, and the option `streamsUrl` is not set;
 * - `event_too_large`: an event is larger than `maxEventBytes`;
 * - `corrupt`: the stream breaks the rules of its format.
 */
export type ResumeFailure =
  | 'gone'
  | 'not_found'
  | 'refused'
  | 'retries_exhausted'
  | 'wait_too_long'
  | 'no_url'
  | 'event_too_large'
  | 'corrupt'

/** Additional members of a {@link ResumeError}. */
export interface ResumeErrorDetails {
  /** Id of the stream, from `x-stream-id`. */
  readonly streamId: string
  /** Status of the server's last answer, if there was one. */
  readonly status?: number | undefined
  /** What broke the stream, or the last attempt to resume it. */
  readonly cause?: unknown
}

/** What a body fails with if its stream broke and cannot be resumed, and what `stop()` fails with if the server refuses. */
export class ResumeError extends Error {
  /** Why, as one word for your code. */
  readonly code: ResumeFailure
  /** Id of the stream, from `x-stream-id`. */
  readonly streamId: string
  /** Status of the server's last answer, if there was one. */
  readonly status: number | undefined

  /** The name by which errors of this class are told from others if two copies of the module are loaded. */
  override readonly name: string = 'ResumeError'

  /**
   * @param code why, as one word
   * @param message why, as a sentence
   * @param details the stream, the status and the cause
   */
  constructor(code: ResumeFailure, message: string, details: ResumeErrorDetails) {
    super(message, { cause: details.cause })
    this.code = code
    this.streamId = details.streamId
    this.status = details.status
  }
}
