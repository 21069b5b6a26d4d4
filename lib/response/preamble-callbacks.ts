import type { IncomingMessage } from 'node:http'
import type { JsonReading } from '../exchange/metering.js'
import type { FailureKind, ReadyReason } from './inspection.js'

/** How much of an answer may be held before its first content. */
export interface PreambleBounds {
  /** Number of events without content. */
  readonly events: number
  /** Number of bytes, both as they arrive and decoded. */
  readonly bytes: number
  /** Milliseconds from the head of the response. */
  readonly ms: number
  /** After `ms`, events without content are not let go: another attempt may have content first. */
  readonly holdsUntilContent?: boolean
}

/** The failure of an answer of which the client has not seen a byte. */
export interface PreambleFailure {
  readonly kind: FailureKind
  /** The HTTP status that the provider's error stands for; `undefined` if it does not show it. */
  readonly status: number | undefined
  /** Without the secrets of the exchange. */
  readonly message: string
  /**
   * The provider's own words, which can be forwarded later: its head, and what it sent up to the end of its error.
   * `undefined` if it reported none.
   */
  readonly said: IncomingMessage | undefined
}

/** Callbacks of a {@link PreambleReader}. None is called before its constructor has returned. */
export interface PreambleEvents {
  /**
   * The answer may go to the client. Called at most once; nothing is called after it.
   *
   * @param response the same one, as if it had not been read; or one in its place with the same head and body, if it
   *   ended or broke off meanwhile
   * @param read what it says, if it is JSON that was read whole
   */
  onReady(response: IncomingMessage, because: ReadyReason, read: JsonReading | undefined): void
  /**
   * The time is over, and no event has come, nor the beginning of one: the status may be committed, the content not.
   * Comments do not count. Called at most once. The first event that comes afterwards makes the answer ready, whatever
   * it is, unless it is an error.
   */
  onSilence(): void
  /** No content has come with the head: from now on the answer is waited for. Called at most once. */
  onWaiting?(): void
  /** Bytes have arrived, whatever they are. */
  onBytes?(): void
  /** The answer failed before any content. Called at most once; nothing is called after it, and nothing more is read. */
  onFailure(failure: PreambleFailure): void
}
