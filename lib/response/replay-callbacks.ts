import type { AiProxyError } from '../api/errors.js'
import type { Journal, JournalBatch, JournalEnd, JournalHead } from '../api/journal.js'
import type { Pacing } from '../journal/pacing.js'

/** What is read of a journal. */
export interface ReplaySource {
  readonly journal: Journal
  readonly id: string
  /** The first event that goes out is the one after this. */
  readonly after: number
  /** How long an entry may be missing at first, because its writer and this reader use a store at the same time. */
  readonly mayBeMissingMs: number
}

/** How the events of a stream go out. */
export interface ReplayManner {
  /** Begins the id lines of an event stream; `undefined` if its events get none. */
  readonly idPrefix: Buffer | undefined
  /** Says when events may go out. Default: at once. */
  readonly pacing: Pacing | undefined
  /** Leaves events out, which splits a batch. Default: all go out. */
  readonly select: ((batch: JournalBatch) => readonly JournalBatch[]) | undefined
}

/** Callbacks of a reader. */
export interface ReplayCallbacks {
  /** The head is known. Opens the response; an exception fails the exchange. */
  onHead(head: JournalHead, about: string): ReplayManner
  /** Events are about to go out. */
  onEvents(batch: JournalBatch, now: number): void
  /** All events so far have gone out, up to that number. */
  onCaughtUp?(number: number): void
  /** All events have gone out, and this is how the answer ended. */
  onEnd(end: JournalEnd): void
  /**
   * The answer cannot be read to its end.
   *
   * @param mayGoOn somebody may still write it, and others may read it
   */
  onFailure(failure: AiProxyError, mayGoOn: boolean): void
  /** Another answer can still take the place of this one: nothing of it has gone out. */
  isReplaceable?(): boolean
  /** It was stopped from outside. */
  onStop(): void
}
