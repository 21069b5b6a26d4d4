import type { Framer } from './framer.js'

/** The content of a frame, without its wrapping. */
export interface Message {
  /** Name of the event (SSE's `event`, `:event-type` of an AWS event stream), if the framing has one. */
  readonly event?: string
  /** SSE's `id`. */
  readonly id?: string
  /** The payload, usually the text of a JSON value. */
  readonly data: string
  /** Whether the frame itself says that the provider failed (an exception in an AWS event stream). */
  readonly isError?: boolean
}

/**
 * How a stream is divided into frames on the wire. Pure: bytes in, bytes out. To change one of the built-in framings in
 * part, spread it: `{ ...framings.ndjson, name: 'my-lines', read, write }`.
 */
export interface Framing {
  /** Identifies it in tests and logs. */
  readonly name: string
  /** The `content-type` that a stream goes out with if the provider's own label is another framing's, or none. */
  readonly contentType: string
  /**
   * Media types, in lower case and without parameters, by which a response is known to be framed so. Default: none; the
   * framing then counts only if the format names it and the first bytes fit (a JSON array, lines of JSON).
   */
  readonly mediaTypes?: readonly string[]
  /** Whether frames hold lengths or checksums: bytes in them are then never replaced in place. Default `false`. */
  readonly isBinary?: boolean
  /** `false`: a stream has no place for an error, and is cut instead. Default `true`: `write` writes the error. */
  readonly carriesErrors?: boolean
  /** Whether an optional package that it needs is installed. If it is not, streams pass as they are. Default: it is. */
  isAvailable?(): boolean
  /**
   * Creates the framer that cuts one stream into frames.
   *
   * @param maxEventBytes the longest frame that passes, in bytes
   */
  createFramer(maxEventBytes: number): Framer
  /**
   * Reads a whole frame, whose memory may be used again later; `undefined` if it carries nothing (a comment, a blank line).
   * Does not throw.
   */
  read(frame: Buffer): Message | undefined
  /** Finds where the data begins in the beginning of a frame. Default: at its first byte. */
  dataStart?(beginning: Buffer): number
  /**
   * Writes a frame that carries a message.
   *
   * @param message the content of the frame
   * @param replacedFrame the frame that it replaces, if there is one
   */
  write(message: Message, replacedFrame?: Buffer): Buffer
  /** Changes the first frames of a stream if the proxy sent something (a heartbeat) before them. Default: no change. */
  asContinuation?(frames: Buffer): Buffer
  /** Changes a frame if all those before it were left out. Default: no change. */
  asFirst?(frame: Buffer): Buffer
}
