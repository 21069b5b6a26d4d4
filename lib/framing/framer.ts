/** What holds true for every wire format: bytes go in as they arrive, whole frames come out. */
export interface Framer {
  /** `true` where a message of ours (an error, a heartbeat) can stand between two frames. */
  readonly carriesMessages: boolean
  /** Events that have gone out so far. */
  readonly events: number
  /** Set once a frame passed the limit given to the framer; nothing is taken from then on. */
  readonly tooLarge: boolean
  /**
   * Takes chunks as they arrived.
   *
   * @returns the whole frames that are complete now, byte for byte as they came, or `undefined` when there are none.
   */
  push(chunks: readonly Buffer[]): Buffer | undefined
  /** The last event of what `push` or `end` returned last, or `undefined` when that held none. */
  last(): Buffer | undefined
  /** What `end` returned last does not go out after all: it is no event. */
  refuse(): void
  /** @returns what is left at a clean end, completed so that the client can read it, or `undefined` when nothing is. */
  end(): Buffer | undefined
}
