import { AiProxyError } from '../api/errors.js'
import type { JournalBatch, JournalEnd, JournalHead } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Framing } from '../framing/index.js'
import { failureOf, readAnswerEnd } from '../journal/answer-end.js'
import { split } from '../journal/event-ends.js'
import type { Pacing } from '../journal/pacing.js'
import type { EntryAbout } from '../journal/recorder.js'
import { interpret, parseFrame } from '../metering/read-frame.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import { framingNamed } from './framing-named.js'
import type { ReplayCallbacks, ReplayManner, ReplaySource } from './replay-callbacks.js'
import { ReplayStream } from './replay-stream.js'
import type { ResponseOpener } from './response-opener.js'

/** Events at the start of a stream that are searched for content. */
const MAX_SEARCHED = 200

/** How long another's answer may be missing before it has begun. */
const MISSING_MS = 2000

/**
 * Why a replay has ended. After the other two, nothing was sent but a head. `vacated`: there will be no answer, and another may
 * ask the provider instead of the request that did. `unreadable`: there may be one, but it is not for this client.
 */
export type ReplayResult = 'served' | 'vacated' | 'unreadable'

/** What a replay needs of the response that it goes into. */
export interface ReplayTarget {
  readonly exchange: Exchange
  readonly context: ResponseContext
  readonly downstream: Downstream
  readonly opener: ResponseOpener
  fail(failure: AiProxyError): void
}

/** How a kept answer goes out. */
export interface ReplayRequest extends Omit<ReplaySource, 'mayBeMissingMs'> {
  /** Returns what begins the id lines of a stream; `undefined` if its events get none. */
  readonly idPrefixFor: (framing: Framing, about: EntryAbout) => Buffer | undefined
  /** Returns when events may go out. Default: at once. */
  readonly paceFor?: (framing: Framing) => Pacing | undefined
  /** Leaves events of a stream out. Default: all go out. */
  readonly select?: (batch: JournalBatch, framing: Framing) => readonly JournalBatch[]
  /** Returns further headers of the response. */
  readonly headersFor: (framing: Framing | undefined) => Readonly<Record<string, string>>
  /** Called before the first event goes out: from now on no other answer can take its place. */
  readonly onBegin?: () => void
  /** If nothing was sent, another may be asked in the place of one that has no answer. */
  readonly mayBeVacated: boolean
  /** The record has what the answer reported. The record of a client that continues its own answer does not: it would count twice. */
  readonly isRecorded: boolean
}

/** Answers a request with a kept answer, which may still be under way. */
export class Replay implements ReplayCallbacks {
  readonly result: Promise<ReplayResult>
  readonly #target: ReplayTarget
  readonly #request: ReplayRequest
  readonly #stream: ReplayStream
  #resolve!: (result: ReplayResult) => void
  #framing: Framing | undefined
  #hasHead = false
  #hasContent = false
  #searched = 0
  #last: JournalBatch | undefined

  constructor(request: ReplayRequest, target: ReplayTarget) {
    this.#request = request
    this.#target = target
    this.result = new Promise((resolve) => {
      this.#resolve = resolve
    })
    const { journal, id, after, mayBeVacated } = request
    const source: ReplaySource = { journal, id, after, mayBeMissingMs: mayBeVacated ? MISSING_MS : 0 }
    this.#stream = new ReplayStream(target.exchange, target.context, source, target.downstream, this)
    target.exchange.traffic.attachFramer(this.#stream)
    target.exchange.enter('waiting')
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  stop(): void {
    this.#stream.stop()
  }

  onHead(head: JournalHead, about: string): ReplayManner {
    const { exchange, opener, context } = this.#target
    this.#hasHead = true
    exchange.deadlines.stop('firstByte')
    exchange.deadlines.stop('firstToken')
    const framing = framingNamed(head.framing, exchange.format)
    this.#framing = framing
    if (this.#framing && !exchange.countsAsStream) context.registry.admitStream(exchange, exchange.limits)
    exchange.enter('streaming')
    opener.openKept(head, framing, this.#request.headersFor(framing))
    const { idPrefixFor, paceFor, select } = this.#request
    return {
      idPrefix: framing && idPrefixFor(framing, JSON.parse(about) as EntryAbout),
      pacing: framing && paceFor?.(framing),
      select: framing && select && ((batch) => select(batch, framing)),
    }
  }

  onEvents(batch: JournalBatch, now: number): void {
    if (!this.#last) this.#request.onBegin?.()
    this.#last = batch
    if (this.#hasContent || !this.#framing) return
    const { answer, format } = this.#target.exchange
    for (const event of split(batch)) {
      if (this.#hasContent || this.#searched++ >= MAX_SEARCHED) return
      const parsed = parseFrame(event, this.#framing, true)
      const { reading } = parsed ? interpret(parsed.message, parsed.data, format) : { reading: undefined }
      if (!(reading?.text || reading?.callsTool || reading?.whole)) continue
      this.#hasContent = true
      answer.noteFirstToken(now)
    }
  }

  onEnd(end: JournalEnd): void {
    const { exchange, downstream, fail } = this.#target
    if (end.how === 'vacated' && this.isReplaceable()) return this.#resolve('vacated')
    const kept = readAnswerEnd(end)
    if (kept && this.#request.isRecorded) exchange.answer.restore(kept.facts)
    const failure = kept && failureOf(kept)
    // Within a body that is no stream of events, nothing can say that it is incomplete.
    const saysHow = this.#framing ? this.#framing.carriesErrors !== false : kept?.isBodyWhole === true
    const mayEnd = end.how === 'complete' || saysHow
    if (end.how === 'vacated') {
      fail(failure ?? new AiProxyError('aborted', 'Nobody waited for this answer'))
    } else if (!this.#hasHead) {
      fail(failure ?? new AiProxyError('stream_lost', 'There is no answer'))
    } else if (failure && !mayEnd && downstream.begunBy === undefined) {
      fail(failure)
    } else {
      if (failure) exchange.settle(kept?.failure?.outcome ?? failure.outcome, failure)
      else if ((kept?.providerStatus ?? 0) >= 400) exchange.settle('provider_error')
      exchange.enter('ending')
      if (mayEnd) downstream.end()
      else downstream.destroy()
    }
    this.#resolve('served')
  }

  onFailure(failure: AiProxyError, mayGoOn: boolean): void {
    // A limit that refuses the client refuses it whoever answers.
    const isOver = !this.isReplaceable() || failure.limit !== undefined
    if (this.#hasReadEnd) this.#target.downstream.end()
    else if (isOver) this.#target.fail(failure)
    this.#resolve(isOver ? 'served' : mayGoOn ? 'unreadable' : 'vacated')
  }

  /**
   * Ends the answer well if it is to be ended from outside, and the client has seen its end.
   *
   * @returns whether it has
   */
  completeIfReported(): boolean {
    const { downstream, exchange } = this.#target
    if (downstream.isGone || !this.#hasReadEnd) return false
    this.#stream.stop()
    exchange.enter('ending')
    downstream.end()
    return true
  }

  /** Another may be asked: the client has a head at most. */
  isReplaceable(): boolean {
    return this.#request.mayBeVacated && this.#last === undefined
  }

  /** The client has the last event of the protocol: no failure may follow. */
  get #hasReadEnd(): boolean {
    const { ends, bytes } = this.#last ?? { ends: [], bytes: Buffer.alloc(0) }
    return ends.length > 0 && this.#target.exchange.format.isTerminator(bytes.subarray(ends.at(-2) ?? 0))
  }

  onStop(): void {
    this.#resolve('served')
  }
}
