import type { Reading } from './usage-accumulator.js'

/** What a JSON answer says. */
export interface JsonReading {
  /** Number of its bytes. */
  readonly bytes: number
  /** The text that the model wrote. */
  readonly text?: string | undefined
  /** All else; `undefined` if it is no JSON object, and no error. */
  readonly reading: Reading | undefined
}

/** Reads, and may change, what passes to the client. */
export interface Metering {
  /**
   * Processes complete frames on their way to the client.
   *
   * @param ends end offset of each frame
   * @param ahead the beginning of the first frame, if it is too large to be joined
   * @returns the bytes for the client; `undefined` if there are none
   */
  pass(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined
  /** Bytes to send before the last result of `pass`. */
  readonly prefix?: readonly Buffer[]
  /** Reads the frames that `pass` did not need to read before they were written. */
  readDeferred?(now: number): void
  /** Scans what has arrived of an incomplete frame, which may become too large to be joined. */
  scanUnfinished?(pieces: readonly Buffer[]): void
  /** Returns whether these pieces of a large frame, including the last one, hold a complete JSON object. */
  isCompleteMessage?(pieces: readonly Buffer[]): boolean
  /** Set if `pass` failed: nothing more may pass. */
  readonly failure?: { readonly error: unknown } | undefined
  /** Called when nothing more will pass. */
  finish(now: number): void
}
