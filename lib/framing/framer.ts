/** What holds true for every wire format: bytes go in as they arrive, whole frames come out. */
export interface Framer {
  /** `true` where a message of ours (an error) can stand between two frames. */
  readonly carriesMessages: boolean
  /** What can stand between two frames and says nothing, to keep a silent connection alive, where there is such a thing. */
  readonly heartbeat: Buffer | undefined
  /** Events that have gone out so far. */
  readonly events: number
  /** Set once a frame passed the limit given to the framer; nothing is taken from then on. */
  readonly tooLarge: boolean
  /** Set once the body has said, in the way of its framing, that it is complete: nothing has to follow. */
  readonly isClosed?: boolean
  /**
   * Set, with a sentence that says why, once bytes came that are no frame (a wrong checksum), and by `end` where the body
   * ended in the middle of a frame of which no half may go out. Nothing is taken from then on.
   */
  readonly corrupt?: string | undefined
  /**
   * Where each frame of what `push` or `end` returned last ends in it, in order; a frame begins where the one before it
   * ends, and the last one ends with what was returned. What carries nothing (a comment, a blank line) is a frame too.
   */
  readonly ends: readonly number[]
  /**
   * What stands in front of what `push` or `end` returned last: the beginning of its first frame, where that is too large
   * to be joined. `ends` count from behind it.
   */
  readonly prefix?: readonly Buffer[]
  /** What has come of a frame that is not complete, and may become too large to be joined. */
  readonly unfinished?: readonly Buffer[]
  /**
   * Takes chunks as they arrived.
   *
   * @returns the whole frames that are complete now, byte for byte as they came, or `undefined` when there are none.
   */
  push(chunks: readonly Buffer[]): Buffer | undefined
  /** The last event of what `push` or `end` returned last, or `undefined` if that held none, or it was not joined. */
  last(): Buffer | undefined
  /** What `end` returned last does not go out after all: it is no event. */
  discardLast(): void
  /**
   * @returns what is left at a clean end, completed so that the client can read it, or `undefined` when nothing is, or
   *   when it may not go out: `corrupt` says why.
   */
  end(): Buffer | undefined
}
