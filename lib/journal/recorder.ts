import type { OutgoingHttpHeaders } from 'node:http'
import type { Journal, JournalEnd, JournalHead, JournalWriter } from '../api/journal.js'
import type { AnswerRecorder, KeptStream } from '../exchange/answer-recorder.js'
import { type Framing, jsonArray, sse } from '../framing/index.js'
import { MAX_TIMER_MS } from '../util/max-timer.js'
import { sizeOf } from '../util/size-of.js'
import { type Events, eventsIn, joined, split } from './event-ends.js'
import { selected } from './id-bytes.js'
import { beginsWithId, hasIdLine, idLinePrefix, reuse, withIdLines, withoutIdLines } from './id-lines.js'
import { keptHeaders } from './kept-headers.js'
import { newEpoch, newStreamId } from './stream-ids.js'

/** An id line that is not the first of all. Text never has it: JSON escapes line ends. */
const LATER_IDS = ['\nid', '\rid']

/** What an answer's entry says of it from the start. */
export interface EntryAbout {
  /** The path below the target, which says which protocol the client speaks. */
  readonly path: string
  readonly model: string | undefined
  readonly epoch: string
  /** Who may continue it; `undefined` if nobody may. */
  readonly reader: string | undefined
  /** That client does not get the event that only reports usage, although it is kept. */
  readonly hidesUsage: boolean
  /** Other subjects may read it, too. */
  readonly isShared: boolean
}

/** How an answer is recorded. */
export interface RecorderOptions {
  readonly journal: Journal
  readonly path: string
  readonly model: string | undefined
  readonly maxBytes: number
  readonly keepMs: number
  /** How long the provider goes on without any reader; 0 ends it at once. */
  readonly graceMs: number
  /** Set if the client may continue it. */
  readonly resume: { readonly reader: string; readonly streamsUrl: string; readonly keeps: boolean } | undefined
  /** Others may read it: it is kept from the beginning, whatever it is. */
  readonly isShared: boolean
  /** Returns whether an event only reports usage, which this client does not get. Given if others may get it. */
  readonly isHidden: ((event: Buffer, framing: Framing) => boolean) | undefined
  /** The client is not to get the event that only reports usage. */
  readonly hidesUsage: boolean
  /** Called at the end, to say how it ended. */
  readonly endOf: (hasBegun: boolean, isWhole: boolean) => JournalEnd
  /** Sees what is kept. */
  readonly onKept?: ((bytes: Buffer, framing: Framing | undefined) => void) | undefined
  /** Called when something is kept for the first time. */
  readonly onBegin?: (id: string) => void
  /**
   * Called once when the client gets no more: it has left, or the answer has ended.
   *
   * @param mayReturn it may come back within the grace
   */
  readonly onClientDone?: (mayReturn: boolean) => void
  /** Called when the entry has ended. */
  readonly onEnded: (end: JournalEnd) => void
  /** Somebody wants the answer to be stopped. */
  readonly onStop: () => void
  /** Others have begun, or ceased, to read. */
  readonly onReaders: () => void
}

/** Keeps one answer in a journal, and gives its events their ids. */
export class Recorder implements AnswerRecorder {
  readonly id = newStreamId()
  readonly epoch = newEpoch()
  copiesBytes = true
  readonly #options: RecorderOptions
  readonly #began = performance.now()
  #writer: JournalWriter | undefined
  #framing: Framing | undefined
  #prefix: Buffer | undefined
  #number = 0
  #bytes = 0
  #keptHead: JournalHead | undefined
  /** The provider's events have ids of their own. */
  #hasOtherIds = false
  #hasBegun = false
  /** Head of a body that has not begun: an error may still take its place. */
  #head: JournalHead | undefined
  #isOver = false
  /** Kept instead of the next events. */
  #forOthers: Buffer | undefined
  #grace: { timer: NodeJS.Timeout | undefined; readonly onAbandoned: () => void } | undefined

  constructor(options: RecorderOptions) {
    this.#options = options
    if (options.isShared) this.#create()
  }

  get showsUsage(): boolean {
    return this.#options.isHidden !== undefined
  }

  /** It knows where, and the answer waits for it. */
  get mayReturn(): boolean {
    const { resume, graceMs } = this.#options
    const isKept = this.#writer !== undefined && !this.#isOver
    return isKept && resume?.keeps === true && this.#prefix !== undefined && graceMs > 0
  }

  get goesOn(): boolean {
    return this.mayReturn || (!this.#isOver && this.readers > 0)
  }

  /** Number of readers other than the client. */
  get readers(): number {
    return this.#writer?.readers ?? 0
  }

  get kept(): KeptStream | undefined {
    const framing = this.#framing
    if (!this.#writer || !framing) return undefined
    const { isHidden } = this.#options
    const isShown = (event: Buffer) => !isHidden?.(event, framing)
    return {
      source: { journal: this.#options.journal, id: this.id, after: this.#number },
      manner: {
        idPrefix: this.#prefix?.length ? this.#prefix : undefined,
        select: isHidden && ((batch) => selected(batch, isShown)),
      },
    }
  }

  /** There is something to read, and not only a head. */
  get #hasContent(): boolean {
    return this.#number > 0
  }

  /** Number of bytes that were kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** The head that was kept. */
  get head(): JournalHead | undefined {
    return this.#keptHead
  }

  headersFor(framing: Framing | undefined): Readonly<Record<string, string>> {
    const { resume } = this.#options
    if (!resume || !hasEvents(framing) || this.#isOver) return {}
    return { 'x-stream-id': this.id, 'x-stream-url': resume.streamsUrl + this.id }
  }

  setHead(status: number, headers: OutgoingHttpHeaders, framing: Framing | undefined): void {
    if (this.#isOver || (this.#hasBegun && !this.#head)) return
    const isEvents = hasEvents(framing)
    if (!this.#writer && !(isEvents && this.#options.resume)) return
    this.#hasBegun = true
    this.#framing = isEvents ? framing : undefined
    if (this.#options.resume && isEvents) this.#prefix = framing === sse ? idLinePrefix(this.epoch) : Buffer.alloc(0)
    if (!this.#writer) this.#create()
    this.#head = { status, headers: keptHeaders(headers), framing: this.#framing?.name }
    if (isEvents) this.#writeHead()
  }

  keep(given: Buffer, ends: readonly number[] | undefined): Buffer | undefined {
    if (!this.#hasBegun || this.#isOver) return given
    const framing = this.#framing
    if (!framing) {
      this.#writeHead()
      this.#append({ bytes: given, ends: [given.length] })
      return given
    }
    if (this.#forOthers) return this.#keepForOthers(this.#forOthers, eventsIn(given, framing), framing)
    const continued = this.#number === 0 ? (framing.asContinuation?.(given) ?? given) : given
    const events = ends && continued === given ? { bytes: given, ends } : eventsIn(continued, framing)
    // Comments go to the client alone.
    if (events.ends.length === 0) return given
    const own = this.#withoutOtherIds(events)
    const first = this.#number + 1
    this.#append(own)
    return this.#forClient(own, first, framing)
  }

  sent(events: Buffer): void {
    reuse(events)
  }

  keepLarge(pieces: readonly Buffer[]): readonly Buffer[] {
    if (!this.#hasBegun) return pieces
    if (sizeOf(pieces) > this.#options.maxBytes) {
      // It cannot be kept, nor what follows without it: ids would lead nowhere. Joining it would take long.
      this.#prefix = undefined
      this.#giveUp()
      return pieces
    }
    const out = this.keep(Buffer.concat(pieces), undefined)
    return out ? [out] : []
  }

  fail(forOthers: Buffer | undefined): void {
    if (this.#options.isShared) this.#forOthers = forOthers
    if (!this.#hasContent && this.#options.endOf(false, true).how === 'vacated') this.end(false)
  }

  end(isWhole: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#grace?.timer)
    const end = this.#options.endOf(this.#hasContent, isWhole)
    if (end.how !== 'vacated') this.#writeHead()
    this.#writer?.end(end)
    if (!this.#grace) this.#options.onClientDone?.(false)
    this.#options.onEnded(end)
  }

  /** Keeps nothing: another answers. */
  discard(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#writer?.discard()
    this.#writer = undefined
    this.#options.onClientDone?.(false)
  }

  startGrace(onAbandoned: () => void): void {
    this.#options.onClientDone?.(this.mayReturn)
    this.#grace = { timer: undefined, onAbandoned }
    this.#checkGrace()
  }

  #create(): void {
    const { journal, path, model, maxBytes, keepMs, resume, hidesUsage, isShared, onStop, onBegin, onReaders } =
      this.#options
    const about: EntryAbout = { path, model, epoch: this.epoch, reader: resume?.reader, hidesUsage, isShared }
    this.#writer = journal.create(
      { id: this.id, about: JSON.stringify(about), maxBytes, trims: true, keepMs },
      {
        onStop,
        onReaders: () => {
          this.#checkGrace()
          onReaders()
        },
        onFailure: () => this.#onFailure(),
      },
    )
    this.copiesBytes = this.#writer.copiesBytes === true
    onBegin?.(this.id)
  }

  #writeHead(): void {
    if (!this.#head) return
    this.#keptHead = this.#head
    this.#head = undefined
    this.#writer?.setHead(this.#keptHead)
  }

  #append({ bytes, ends }: Events): void {
    const first = this.#number + 1
    this.#number += ends.length
    this.#bytes += bytes.length
    this.#options.onKept?.(bytes, this.#framing)
    this.#writer?.append({ first, bytes, ends, at: performance.now() - this.#began })
  }

  #keepForOthers(kept: Buffer, given: Events, framing: Framing): Buffer | undefined {
    const first = this.#number + 1
    this.#append(eventsIn(kept, framing))
    return this.#forClient(given, first, framing)
  }

  /** Returns what the client gets of events that were kept. */
  #forClient(events: Events, first: number, framing: Framing): Buffer | undefined {
    const { isHidden } = this.#options
    const prefix = this.#prefix?.length ? this.#prefix : undefined
    if (!isHidden) return prefix ? withIdLines(events.bytes, events.ends, prefix, first, true) : events.bytes
    const shown = split(events).flatMap((event, at) => {
      if (isHidden(event, framing)) return []
      return [prefix ? withIdLines(event, [event.length], prefix, first + at) : event]
    })
    return shown.length > 0 ? joined(shown).bytes : undefined
  }

  /** Removes the provider's own ids, which would replace the recorded ones. */
  #withoutOtherIds(events: Events): Events {
    if (this.#framing !== sse || !this.#prefix) return events
    const { bytes } = events
    if (!this.#hasOtherIds) {
      const mayHave = beginsWithId(bytes, 0) || LATER_IDS.some((beginning) => bytes.includes(beginning))
      this.#hasOtherIds = mayHave && split(events).some(hasIdLine)
    }
    return this.#hasOtherIds ? joined(split(events).map(withoutIdLines)) : events
  }

  #giveUp(): void {
    this.#writer?.discard()
    this.#onFailure()
  }

  /** Nothing is kept any more, so no reader can come back. */
  #onFailure(): void {
    this.#writer = undefined
    this.#checkGrace()
  }

  #checkGrace(): void {
    const grace = this.#grace
    if (!grace || this.#isOver) return
    clearTimeout(grace.timer)
    grace.timer = undefined
    if (this.readers > 0) return
    const ms = this.goesOn ? this.#options.graceMs : 0
    grace.timer = setTimeout(grace.onAbandoned, Math.min(ms, MAX_TIMER_MS))
  }
}

/** Whether a stream's events can be counted one by one: the parts of a JSON array depend on those before them. */
function hasEvents(framing: Framing | undefined): framing is Framing {
  return framing !== undefined && framing !== jsonArray
}
