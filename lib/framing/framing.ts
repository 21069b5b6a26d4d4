import type { Framer } from './framer.js'

/** What a frame carries, without the framing around it. */
export interface Message {
  /** Name of the event (SSE's `event`, AWS's `:event-type` or `:exception-type`), if the framing has one. */
  readonly event?: string
  /** SSE's `id`. */
  readonly id?: string
  /** The payload, usually the text of a JSON value. */
  readonly data: string
  /** Whether the frame itself says that the provider failed (AWS exceptions and errors). */
  readonly isError?: boolean
}

/** Defines how a stream is divided into frames on the wire. */
export interface Framing {
  readonly name: 'sse' | 'ndjson' | 'aws-event-stream' | 'json-array'
  /** Whether the packages that it needs are installed, if it needs any. If not, a process warning is emitted once. */
  isAvailable?(): boolean
  /** @param maxEventBytes the longest frame that may pass, in bytes */
  createFramer(maxEventBytes: number): Framer
  /** Reads what a complete frame carries; `undefined` if that is nothing (a comment, a blank line). Does not throw. */
  read(frame: Buffer): Message | undefined
  /**
   * Returns where the data starts in a frame, given its beginning. Without this function, data starts at the first
   * byte.
   */
  dataStart?(beginning: Buffer): number
  /**
   * Writes a frame that carries a message.
   *
   * @param replacedFrame the frame that it replaces, if any
   */
  write(message: Message, replacedFrame?: Buffer): Buffer
  /** Adapts frames that do not come first in the response. Without this function, they stay as they are. */
  asContinuation?(frames: Buffer): Buffer
  /** Adapts a frame that comes first because all before it were dropped. Without this function, it stays as it is. */
  asFirst?(frame: Buffer): Buffer
}
