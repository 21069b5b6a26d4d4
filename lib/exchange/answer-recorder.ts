import type { OutgoingHttpHeaders } from 'node:http'
import type { Journal, JournalBatch } from '../api/journal.js'
import type { Framing } from '../framing/index.js'

/** Where the client's answer is kept, and how it looks to this client. */
export interface KeptStream {
  /** `after` is the number of the last event that was kept. */
  readonly source: { readonly journal: Journal; readonly id: string; readonly after: number }
  readonly manner: {
    readonly idPrefix: Buffer | undefined
    readonly select: ((batch: JournalBatch) => readonly JournalBatch[]) | undefined
  }
}

/** Keeps an answer while it goes to the client. No method waits, and none throws. */
export interface AnswerRecorder {
  /** Headers that say how the client can continue; none if it cannot. */
  headersFor(framing: Framing | undefined): Readonly<Record<string, string>>
  /** The client's head is set. */
  setHead(status: number, headers: OutgoingHttpHeaders, framing: Framing | undefined): void
  /**
   * Keeps events.
   *
   * @param ends where each of them ends; `undefined` if that is not known, or if some frames may be no events
   * @returns the bytes for the client; `undefined` if there are none
   */
  keep(events: Buffer, ends: readonly number[] | undefined): Buffer | undefined
  /** What was given to `keep` is not needed any more: it was copied. */
  readonly copiesBytes: boolean
  /** The bytes that `keep` returned have left the process. */
  sent(events: Buffer): void
  /** Keeps events of which the first is too large to be joined. @returns the pieces for the client */
  keepLarge(pieces: readonly Buffer[]): readonly Buffer[]
  /**
   * A failure is about to be sent, as a response or as the next events. What concerns this client alone is not kept.
   *
   * @param forOthers the events that others get instead of these, if they get the answer as well; `undefined` for the same
   */
  fail(forOthers: Buffer | undefined): void
  /**
   * Nothing more follows. Later calls have no effect.
   *
   * @param isWhole whether the body ended well for HTTP
   */
  end(isWhole: boolean): void
  /** The client is not shown the usage, but whoever reads later may be: it must pass here. */
  readonly showsUsage: boolean
  /** The events so far; `undefined` if none are kept. */
  readonly kept: KeptStream | undefined
  /** Number of readers other than the client. */
  readonly readers: number
  /** Whether the client can come back to the answer if its connection is lost. */
  readonly mayReturn: boolean
  /** Whether the provider goes on although the client has left. */
  readonly goesOn: boolean
  /** The client has left: from now on, the answer ends a while after its last reader has gone. */
  startGrace(onAbandoned: () => void): void
}
