/**
 * Splits a body into frames. Bytes go in as they arrive, complete frames come out. Implemented for each wire format.
 */
export interface Framer {
  /** Whether a message of the proxy (an error) can be inserted between two frames. */
  readonly carriesMessages: boolean
  /** A frame without content that keeps a silent connection alive, if the format has one. */
  readonly heartbeat: Buffer | undefined
  /** Number of events emitted so far. */
  readonly events: number
  /** Set after a frame exceeded the limit given to the framer, which then ignores all further input. */
  readonly tooLarge: boolean
  /** Set after the body declared itself complete in the way of its framing: nothing more has to follow. */
  readonly isClosed?: boolean
  /**
   * Set, with a sentence that gives the reason, after bytes arrived that are not a frame (a wrong checksum). `end` sets
   * it if the body ended within a frame that must not go out incomplete. The framer then ignores all further input.
   */
  readonly corrupt?: string | undefined
  /**
   * The end of each frame in what `push` or `end` returned last, in order. A frame begins where the previous one ends,
   * and the last one ends with what was returned. A comment or a blank line is a frame too.
   */
  readonly ends: readonly number[]
  /**
   * The bytes that precede what `push` or `end` returned last: the beginning of its first frame, if that frame is too
   * large to be joined. `ends` do not count these bytes.
   */
  readonly prefix?: readonly Buffer[]
  /** Pieces of an incomplete frame that may become too large to be joined. */
  readonly unfinished?: readonly Buffer[]
  /**
   * Number of bytes after the returned frames that `push` has kept as a copy: nothing refers to the chunks any more.
   * Default: something may.
   */
  readonly copiedBytes?: number
  /**
   * Adds chunks as they arrived.
   *
   * @returns the frames that are now complete, byte for byte as they came; `undefined` if there are none
   */
  push(chunks: readonly Buffer[]): Buffer | undefined
  /**
   * The last event in what `push` or `end` returned last; `undefined` if that had no event, or the event was not
   * joined.
   */
  last(): Buffer | undefined
  /** Discards the result of the last `end()`: it was not a complete event. */
  discardLast(): void
  /**
   * Ends the body after a clean end of the stream.
   *
   * @returns the rest, completed so that the client can read it; `undefined` if there is none, or if it must not go
   *   out, in which case `corrupt` gives the reason
   */
  end(): Buffer | undefined
}
