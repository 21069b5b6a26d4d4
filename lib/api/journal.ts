/** Events of an answer that went out together. */
export interface JournalBatch {
  /** Number of the first of them; an answer's first event has number 1. */
  readonly first: number
  /** The events, one after another, as the provider sent them. */
  readonly bytes: Buffer
  /** Where each event ends in `bytes`. */
  readonly ends: readonly number[]
  /** When they went out, in milliseconds since the entry was created. */
  readonly at: number
}

/** The part of an answer's head that may go to other clients. */
export interface JournalHead {
  /** The status. */
  readonly status: number
  /** Headers, in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Name of the stream's framing; `undefined` for an answer that is not a stream: its bytes are kept in pieces. */
  readonly framing: string | undefined
}

/** How an entry ended. */
export interface JournalEnd {
  /**
   * `complete`: the provider's answer is whole. `failed`: it is not; the last event says so, if the framing has room for
   * it. `vacated`: there is no answer, because of something that concerns only the client that asked; another may ask again.
   */
  readonly how: 'complete' | 'failed' | 'vacated'
  /** What is known about the answer, as JSON. */
  readonly about: string
}

/** What one read of an entry returns. */
export interface JournalPage {
  /** `missing`: there is no such entry (any more). `lost`: the process that wrote it is gone, and its end is missing. */
  readonly state: 'missing' | 'open' | 'ended' | 'lost'
  /** What the entry is about, as given when it was created. */
  readonly about: string
  /** `undefined` until it is known. */
  readonly head: JournalHead | undefined
  /** What follows the event that was asked for, in order and without gaps. The first batch may begin before it. */
  readonly batches: readonly JournalBatch[]
  /** Number of the oldest event that is kept: 1 unless some were trimmed. */
  readonly oldest: number
  /** Number of the newest event; 0 if there is none. */
  readonly newest: number
  /** Set if `state` is `ended`. */
  readonly end: JournalEnd | undefined
}

/** An entry that begins. */
export interface NewJournalEntry {
  /** Unique and unguessable: letters, digits, `-` and `_`. */
  readonly id: string
  /** What it is about, as JSON. */
  readonly about: string
  /** How many bytes of events are kept. With `trims`, the oldest events are dropped first; otherwise a longer entry is dropped. */
  readonly maxBytes: number
  /** Whether an entry that becomes too long keeps its newest events. */
  readonly trims: boolean
  /** How long the entry is kept after its end, in milliseconds. */
  readonly keepMs: number
}

/** Callbacks of an entry's writer. None is called within one of its own calls. */
export interface JournalWriterCallbacks {
  /** A reader has asked to stop the answer. */
  onStop(): void
  /** Readers have come or gone. */
  onReaders(): void
  /**
   * Nothing more is written: the entry is longer than it may be (`undefined`), or the store failed. Readers find it
   * missing, or lost.
   */
  onFailure(error: unknown): void
}

/** Writes one entry. No method waits, and none throws. */
export interface JournalWriter {
  /** Readers that watch the entry now, in all processes, as far as known. */
  readonly readers: number
  /** `append` copies what it keeps, so that the memory of the bytes may be used again once it has returned. Default false. */
  readonly copiesBytes?: boolean
  /** Sets the head. */
  setHead(head: JournalHead): void
  /** Adds events: the batch begins after the one before it. */
  append(batch: JournalBatch): void
  /** Ends the entry. */
  end(end: JournalEnd): void
  /** Drops the entry. */
  discard(): void
}

/** Figures of a journal. */
export interface JournalStats {
  /** Entries that this process knows of: all of them in memory; with Redis, those that it writes now. */
  readonly entries: number
  /** Their bytes. */
  readonly bytes: number
  /** Calls of the store that have failed. */
  readonly failures: number
  /** Entries that were given up because the store failed or was too slow. */
  readonly incomplete: number
}

/**
 * Keeps the whole events of answers, in order, for readers that come back, later, or at the same moment. A store in this
 * process returns at once; one that is somewhere else returns promises, which reject if it cannot be reached.
 */
export interface Journal {
  /** Begins an entry. */
  create(entry: NewJournalEntry, callbacks: JournalWriterCallbacks): JournalWriter
  /**
   * Reads what follows an event.
   *
   * @param id of the entry
   * @param after number of the event; 0 reads from the beginning
   * @param maxBytes about how many bytes of events to return; at least one event is returned if there is one
   */
  read(id: string, after: number, maxBytes: number): JournalPage | Promise<JournalPage>
  /**
   * Calls back whenever there may be something new in an entry: a head, events, its end, or its loss. The writer counts the
   * watcher as a reader.
   *
   * @returns a function that ends the watch
   */
  watch(id: string, callback: () => void): () => void
  /** Asks the writer of an entry to stop its provider. */
  stop(id: string): void | Promise<void>
  /** Keeps an entry that has ended for this many milliseconds from now. */
  keep(id: string, ms: number): void | Promise<void>
  /** Drops an entry. */
  remove(id: string): void | Promise<void>
  /**
   * Sets a name's value for a while.
   *
   * @param name any text
   * @param value any text
   * @param ttlMs milliseconds after which the name has no value any more
   * @param ifAbsent does nothing if the name has a value
   * @returns whether it was set
   */
  put(name: string, value: string, ttlMs: number, ifAbsent?: boolean): boolean | Promise<boolean>
  /** Returns the value of a name; `undefined` if it has none (any more). */
  get(name: string): string | undefined | Promise<string | undefined>
  /**
   * Removes a name.
   *
   * @param name any text
   * @param ifValue removes it only if it has this value
   * @returns whether it was removed
   */
  drop(name: string, ifValue?: string): boolean | Promise<boolean>
  /** Lists the names with a prefix, with their values. */
  list(prefix: string): Promise<readonly (readonly [name: string, value: string])[]>
  /** Returns figures. */
  stats(): JournalStats
  /** Releases connections and timers. */
  close(): void | Promise<void>
}
