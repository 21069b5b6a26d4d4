import type { Journal } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { sse } from '../framing/index.js'
import type { KeptAnswers } from '../journal/answer-cache.js'
import { idLinePrefix } from '../journal/id-lines.js'
import { pacing } from '../journal/pacing.js'
import { newStreamId, subjectKey } from '../journal/stream-ids.js'
import { wantsUsage, withoutUsage } from '../journal/usage-events.js'
import type { ResolvedCache } from '../options/cache.js'
import type { Edited } from '../request/edit.js'
import type { ReplayRequest, ReplayResult } from '../response/replay.js'
import type { ResponseController } from '../response/response-controller.js'
import { debug } from '../util/debug.js'
import type { ProxyContext } from './context.js'
import type { ShareableRequest } from './shareable-request.js'
import { putAlias } from './stream-alias.js'
import { returnTimeOf } from './stream-readers.js'
import { streamsUrlOf } from './stream-route.js'

/** How often a request waits for another's answer before it is sent in any case. */
const MAX_TRIES = 5
/** The longest lease of a leader: after it, its process must be gone. */
const MAX_LEASE_MS = 24 * 60 * 60_000

/** One request that may get another's answer, or give its own to others. */
export class SharedAnswer {
  readonly #request: ShareableRequest
  readonly #onBegin: () => void
  readonly #exchange: Exchange
  readonly #controller: ResponseController
  readonly #context: ProxyContext
  readonly #cache: ResolvedCache
  readonly #journal: Journal
  readonly #answers: KeptAnswers
  /** The client has not asked for the event that only reports usage. */
  readonly hidesUsage: boolean

  /** @param onBegin called before the first event of another's answer goes out */
  constructor(
    request: ShareableRequest,
    edited: Edited,
    onBegin: () => void,
    exchange: Exchange,
    controller: ResponseController,
    context: ProxyContext,
    kept: { readonly cache: ResolvedCache; readonly journal: Journal; readonly answers: KeptAnswers },
  ) {
    this.#request = request
    this.#onBegin = onBegin
    this.#exchange = exchange
    this.#controller = controller
    this.#context = context
    this.#cache = kept.cache
    this.#journal = kept.journal
    this.#answers = kept.answers
    // What was added for our sake is not the client's wish.
    this.hidesUsage = edited.hidesUsage || !wantsUsage(edited.body.json, exchange.format)
  }

  get key(): string {
    return this.#request.key
  }

  get scope(): string {
    return this.#request.scope
  }

  get mayStore(): boolean {
    return this.#request.mayStore
  }

  /** Answers with a kept answer, or with one that is under way. @returns whether it did */
  async answer(): Promise<boolean> {
    if (!this.#request.mayRead) return false
    return (await this.#safely(() => this.#answerFromCache())) === true || (await this.#joinAny()) === 'served'
  }

  /**
   * Makes this request the leader, for whose answer others wait, or answers with that of a faster leader.
   *
   * @param entry the journal's id of the answer to come
   * @returns whether this request has to be sent
   */
  async lead(entry: string): Promise<boolean> {
    if (!this.#cache.joins) return true
    const { maxStreamDurationMs, firstByteTimeoutMs } = this.#exchange.limits
    const ttlMs = Math.min(maxStreamDurationMs + firstByteTimeoutMs, MAX_LEASE_MS)
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const isLeader = await this.#safely(() => this.#answers.lead(this.key, entry, ttlMs))
      // If the store fails, the request is sent as if nobody else asked.
      if (isLeader !== false || !this.#request.mayRead) return true
      const joined = await this.#joinAny()
      if (joined === 'served' || this.#exchange.isSettled) return false
      // Others go on to follow the one that leads.
      if (joined === 'unreadable') return true
    }
    return true
  }

  /** Lets another lead. */
  async giveUpLead(entry: string): Promise<void> {
    if (this.#cache.joins) await this.#safely(() => this.#answers.release(this.key, entry))
  }

  /** Notes that the answer is the provider's. */
  miss(): void {
    this.#note('miss')
    const { res } = this.#exchange
    // A stream may have been opened while the request waited.
    if (!res.headersSent) res.setHeader('x-cache', 'miss')
  }

  async #answerFromCache(): Promise<boolean> {
    const found = await this.#answers.find(this.key)
    if (!found || this.#exchange.isSettled) return false
    const isStream = found.page.head?.framing !== undefined
    if (isStream !== this.#exchange.asksForStream) return false
    // A client that asks for the event that reports usage is not served without it.
    const asksForUsage = isStream && this.#exchange.format.usageRequest !== undefined && !this.hidesUsage
    if (asksForUsage && !found.hasUsage) return false
    this.#note('hit')
    const age = String(Math.floor(this.#answers.ageOf(found) / 1000))
    const headers = { 'x-cache': 'hit', age }
    const sized = isStream ? headers : { ...headers, 'content-length': String(found.bytes) }
    const result = await this.#replay(found.id, sized, true)
    return result === 'served'
  }

  /** @returns what came of the leader's answer; `vacated` if there is no leader */
  async #joinAny(): Promise<ReplayResult> {
    if (!this.#cache.joins) return 'vacated'
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const leader = await this.#safely(() => this.#answers.leaderOf(this.key))
      if (leader === undefined || this.#exchange.isSettled) return 'vacated'
      this.#note('join')
      const result = await this.#replay(leader, { 'x-cache': 'join' }, false)
      if (result !== 'vacated') return result
      // It has gone without an answer.
      await this.#safely(() => this.#answers.release(this.key, leader))
      // Between these, it may have left a whole one.
      if (await this.#safely(() => this.#answerFromCache())) return 'served'
    }
    return 'vacated'
  }

  async #replay(entry: string, headers: Readonly<Record<string, string>>, isPaced: boolean): Promise<ReplayResult> {
    const exchange = this.#exchange
    exchange.deadlines.stop('firstByte')
    exchange.deadlines.stop('firstToken')
    const alias = await this.#alias(entry)
    const request: ReplayRequest = {
      journal: this.#journal,
      id: entry,
      after: 0,
      mayBeVacated: true,
      isRecorded: true,
      onBegin: this.#onBegin,
      idPrefixFor: (framing, { epoch }) => (alias && framing === sse ? idLinePrefix(epoch) : undefined),
      headersFor: (framing) => ({ ...headers, ...(framing && alias?.headers) }),
      ...(this.hidesUsage && { select: (batch, framing) => withoutUsage(batch, framing, exchange.format) }),
      ...(isPaced && { paceFor: (framing) => pacing(this.#cache.pace, exchange.format, framing) }),
    }
    try {
      const result = await this.#controller.replay(request)
      // So far it is neither a hit nor a join.
      if (result !== 'served') this.#note(undefined)
      return result
    } finally {
      alias?.unmark(returnTimeOf(exchange, this.#context.config))
    }
  }

  /** Lets the client continue the answer of another, if streams can be continued. */
  async #alias(entry: string) {
    const { resume } = this.#context.config
    const journal = this.#context.journals.resume
    if (!resume || journal !== this.#journal || !this.#exchange.asksForStream) return undefined
    const who = await resume.who(this.#exchange.hookView())
    if (who === undefined || !resume.when(this.#exchange.hookView())) return undefined
    // The client may have the head of an answer that has come to nothing.
    const { opened } = this.#controller
    const id = opened ? opened.streamId : newStreamId()
    if (id === undefined) return undefined
    putAlias(journal, id, { entry, reader: subjectKey(who), hidesUsage: this.hidesUsage }, resume.windowMs)
    const url = streamsUrlOf(this.#exchange) + id
    return {
      headers: { 'x-stream-id': id, 'x-stream-url': url },
      unmark: this.#context.readers.mark(journal, entry, id),
    }
  }

  #note(how: Exchange['cache']): void {
    this.#exchange.cache = how
  }

  /** A store that fails costs a request, but breaks none. */
  async #safely<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask()
    } catch (error) {
      debug.request('%s the cache cannot be read: %s', this.#exchange.id, error)
      return undefined
    }
  }
}
