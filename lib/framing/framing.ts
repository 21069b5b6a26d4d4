import type { Framer } from './framer.js'

/** What a frame carries, whatever it was wrapped in. */
export interface Message {
  /** Name of the event (SSE's `event`, AWS's `:event-type` or `:exception-type`), where the framing has one. */
  readonly event?: string
  /** SSE's `id`. */
  readonly id?: string
  /** The payload: as a rule the text of a JSON value. */
  readonly data: string
  /** The frame itself says that the provider failed (AWS exceptions and errors). */
  readonly isError?: boolean
}

/** How a stream is divided into frames on the wire. */
export interface Framing {
  readonly name: 'sse' | 'ndjson' | 'aws-event-stream' | 'json-array'
  /** Whether what it takes is installed, where it takes something; a warning says once a process that it is not. */
  isAvailable?(): boolean
  /** @param maxEventBytes the longest frame that passes, in bytes */
  createFramer(maxEventBytes: number): Framer
  /** What a whole frame carries; `undefined` where it carries nothing (a comment, a blank line). Does not throw. */
  read(frame: Buffer): Message | undefined
  /** Where the data begins in a frame of which the beginning is there; at its first byte, where there is no such function. */
  dataStart?(beginning: Buffer): number
  /**
   * A frame that carries this message.
   *
   * @param replacedFrame the frame in whose place it goes out, where it does
   */
  write(message: Message, replacedFrame?: Buffer): Buffer
  /** Frames as they must be where something stands before the first of them; as they are, where there is no such function. */
  asContinuation?(frames: Buffer): Buffer
  /** A frame as it must be where all those before it were left out; as it is, where there is no such function. */
  asFirst?(frame: Buffer): Buffer
}
