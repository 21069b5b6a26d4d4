/** What is done with what passes; what the client sees of it. */
export interface Metering {
  /**
   * Takes whole frames on their way to the client.
   *
   * @param ends where each of them ends
   * @param ahead the beginning of the first one, if it is too large to be joined
   * @returns what the client is to get of them; `undefined` where that is nothing
   */
  pass(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined
  /** What the client is to get in front of what `pass` returned last. */
  readonly prefix?: readonly Buffer[]
  /** Reads what `pass` has let pass, as far as that need not be read before it is written. */
  readPassed?(now: number): void
  /** Looks through what has come of a frame that is not complete, and may become too large to be joined. */
  follow?(pieces: readonly Buffer[]): void
  /** Whether these pieces of a large frame, the last one included, hold a whole JSON object. */
  isWhole?(pieces: readonly Buffer[]): boolean
  /** What went wrong in `pass`: nothing may pass any more. */
  readonly failure?: { readonly error: unknown } | undefined
  /** Nothing more passes. */
  finish(now: number): void
}
