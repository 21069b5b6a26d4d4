import type { AsyncResource } from 'node:async_hooks'
import { AiProxyError, toFailure } from '../api/errors.js'
import type { JournalBatch, JournalEnd, JournalPage } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { batchFrom, batchUpTo, idBytesOf } from '../journal/id-bytes.js'
import type { Runnable } from '../scheduling/turns.js'
import { isThenable } from '../util/promises.js'
import type { ResponseContext } from './context.js'
import type { Downstream } from './downstream.js'
import type { ReplayCallbacks, ReplayManner, ReplaySource } from './replay-callbacks.js'
import { FIRST_TURN_BYTES, nextTurnBytes } from './turn-bytes.js'

/** How soon an entry that is missing is looked for again. */
const MISSING_MS = 50

/**
 * An answer on its way from a journal to a client, event by event in turns. It follows an answer that is still being
 * written.
 */
export class ReplayStream implements Runnable {
  isBursting = false
  readonly tenant: string | undefined
  readonly asyncContext: AsyncResource
  readonly #exchange: Exchange
  readonly #context: ResponseContext
  readonly #source: ReplaySource
  readonly #downstream: Downstream
  readonly #callbacks: ReplayCallbacks
  readonly #stopWatching: () => void
  readonly #began: number
  #after: number
  #events = 0
  /** Set once the head is known. */
  #manner: ReplayManner | undefined
  #turnBytes = FIRST_TURN_BYTES
  #taken = 0
  #isQueued = false
  #isStopped = false
  /** Something has happened since the last read began. */
  #mayHaveMore = true
  #isReading = false
  /** As far as is known, somebody still writes it. */
  #isOpen = true
  #page: JournalPage | undefined

  constructor(
    exchange: Exchange,
    context: ResponseContext,
    source: ReplaySource,
    downstream: Downstream,
    callbacks: ReplayCallbacks,
  ) {
    this.#exchange = exchange
    this.tenant = exchange.tenant
    this.asyncContext = exchange.asyncContext
    this.#context = context
    this.#source = source
    this.#downstream = downstream
    this.#callbacks = callbacks
    this.#after = source.after
    this.#began = exchange.age
    this.#stopWatching = source.journal.watch(source.id, this.#onChange)
    this.wake()
  }

  /** Events that have gone out. */
  get events(): number {
    return this.#events
  }

  /** Asks for a turn because there may be work, unless the client has to read first. */
  readonly wake = (): void => {
    if (this.#isQueued || this.#isStopped || this.#isReading || this.#downstream.isBlocked) return
    this.#isQueued = true
    this.#context.turns.enqueue(this)
  }

  runTurn(now: number): void {
    this.#isQueued = false
    try {
      this.#work(now)
    } catch (error) {
      this.#fail(toFailure(error))
    }
  }

  onTurnEnd(ms: number): void {
    this.isBursting = this.#isQueued
    this.#turnBytes = nextTurnBytes(this.#turnBytes, this.#taken, ms)
    this.#exchange.traffic.countTurn(ms)
    this.#context.observers.onTurn?.(ms)
  }

  /** The client has to read first. */
  pause(): void {
    if (this.#exchange.phase === 'streaming') this.#exchange.enter('stalled')
  }

  /** The client reads again. */
  resume(): void {
    if (this.#exchange.phase === 'stalled') this.#exchange.enter('streaming')
    this.wake()
  }

  /** Stops for good. */
  stop(): void {
    if (this.#isStopped) return
    this.#release()
    this.#callbacks.onStop()
  }

  #release(): void {
    this.#isStopped = true
    this.#exchange.deadlines.stop('pace')
    this.#stopWatching()
  }

  readonly #onChange = (): void => {
    this.#mayHaveMore = true
    this.wake()
  }

  #work(now: number): void {
    this.#taken = 0
    if (this.#isStopped || this.#downstream.isBlocked) return
    const page = this.#page
    this.#page = undefined
    if (page) return this.#show(page, now)
    if (!this.#mayHaveMore) return
    this.#mayHaveMore = false
    const { journal, id } = this.#source
    const read = journal.read(id, this.#after, this.#turnBytes)
    if (!isThenable(read)) return this.#show(read, now)
    this.#isReading = true
    read.then(
      (answer) => {
        this.#isReading = false
        this.#page = answer
        this.wake()
      },
      (cause) => {
        this.#isReading = false
        this.#fail(new AiProxyError('journal_unavailable', 'Kept answers cannot be read now', { cause }))
      },
    )
  }

  #show(page: JournalPage, now: number): void {
    if (page.state === 'missing') return this.#onMissing()
    this.#isOpen = page.state === 'open'
    // Only a reader that has waited for a lost answer gets the part that was kept; a new one asks for another.
    if (page.state === 'lost' && this.#callbacks.isReplaceable?.()) return this.#fail(lost())
    if (page.head && !this.#manner) {
      this.#manner = this.#callbacks.onHead(page.head, page.about)
      if (this.#isStopped) return
    }
    const [next] = page.batches
    // What comes next was trimmed while this client was slow.
    if (Math.max(page.oldest, next?.first ?? 0) > this.#after + 1 && page.newest > this.#after)
      return this.#fail(gone())
    for (const batch of this.#manner ? page.batches : []) {
      if (!this.#write(batchFrom(batch, this.#after + 1), now)) return
    }
    this.#downstream.flushHead()
    if (this.#after < page.newest) return this.#onChange()
    if (page.state === 'lost') this.#fail(lost())
    else if (page.end) this.#end(page.end)
    else if (this.#mayHaveMore) this.wake()
    else this.#callbacks.onCaughtUp?.(this.#after)
  }

  #onMissing(): void {
    if (this.#manner || this.#exchange.age - this.#began > this.#source.mayBeMissingMs) {
      this.#isOpen = false
      return this.#fail(gone())
    }
    this.#exchange.deadlines.start('pace', MISSING_MS, this.#onChange)
  }

  /** @returns whether the next batch can follow at once */
  #write(batch: JournalBatch, now: number): boolean {
    if (batch.ends.length === 0) return true
    const { count, waitMs } = this.#manner?.pacing?.(batch) ?? { count: batch.ends.length, waitMs: 0 }
    const due = batchUpTo(batch, batch.first + count - 1)
    if (count > 0) this.#writeNow(due, now)
    if (count < batch.ends.length) {
      this.#downstream.flushHead()
      this.#mayHaveMore = false
      this.#exchange.deadlines.start('pace', waitMs, this.#onChange)
      return false
    }
    if (!this.#downstream.isBlocked) return true
    this.#mayHaveMore = true
    return false
  }

  #writeNow(batch: JournalBatch, now: number): void {
    this.#after = batch.first + batch.ends.length - 1
    this.#taken += batch.bytes.length
    const { idPrefix, select } = this.#manner!
    for (const shown of select ? select(batch) : [batch]) {
      this.#events += shown.ends.length
      this.#callbacks.onEvents(shown, now)
      this.#downstream.write(idPrefix ? idBytesOf(shown, idPrefix) : shown.bytes, now)
    }
  }

  #end(end: JournalEnd): void {
    this.#release()
    this.#callbacks.onEnd(end)
  }

  #fail(failure: AiProxyError): void {
    if (this.#isStopped) return
    this.#release()
    this.#callbacks.onFailure(failure, this.#isOpen)
  }
}

function lost(): AiProxyError {
  return new AiProxyError('stream_lost', 'The process that received this answer is gone')
}

function gone(): AiProxyError {
  return new AiProxyError('resume_gone', 'The rest of this answer is not kept any more')
}
