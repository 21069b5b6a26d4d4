import type { JournalEnd } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { callsTool, generatesAt } from '../formats/index.js'
import type { Framing } from '../framing/index.js'
import { type KeptAnswers, READ_MS } from '../journal/answer-cache.js'
import { answerEnd, readAnswerEnd } from '../journal/answer-end.js'
import { Recorder } from '../journal/recorder.js'
import { newStreamId, subjectKey } from '../journal/stream-ids.js'
import { isUsageEvent } from '../journal/usage-events.js'
import type { ResolvedCache } from '../options/cache.js'
import type { ResponseController } from '../response/response-controller.js'
import { debug } from '../util/debug.js'
import { catchRejection } from '../util/promises.js'
import type { ProxyContext } from './context.js'
import type { SharedAnswer } from './share-answer.js'
import { putAlias } from './stream-alias.js'
import { goneName, streamsUrlOf } from './stream-route.js'

/** How many windows the owner of a stream is remembered for, once the stream is not kept any more. */
const REMEMBERED_WINDOWS = 12

/** Returns who may continue the answer to a request; `undefined` if nobody may. */
export async function readerOf(exchange: Exchange, { config }: ProxyContext): Promise<string | undefined> {
  const { resume } = config
  if (!resume || !exchange.asksForStream || !resume.when(exchange.hookView())) return undefined
  const asked = resume.who(exchange.hookView())
  const who = typeof asked === 'object' ? await asked : asked
  return who === undefined ? undefined : subjectKey(who)
}

/**
 * Returns headers for a stream that is opened before it is known whether the provider will be asked: they name an id by
 * which the answer to come can be continued.
 */
export function earlyStreamHeaders(
  exchange: Exchange,
  { journals }: ProxyContext,
  reader: string | undefined,
  shared: SharedAnswer | undefined,
): Readonly<Record<string, string>> {
  if (reader === undefined || (shared && journals.cache !== journals.resume)) return {}
  const id = newStreamId()
  return { 'x-stream-id': id, 'x-stream-url': streamsUrlOf(exchange) + id }
}

/** Creates what keeps the answer to a request; `undefined` if it is not kept. */
export function recorderFor(
  exchange: Exchange,
  controller: ResponseController,
  { config, journals, answers, owners, readers }: ProxyContext,
  reader: string | undefined,
  shared: SharedAnswer | undefined,
): Recorder | undefined {
  const { resume, cache } = config
  const journal = (shared && journals.cache) ?? (reader !== undefined ? journals.resume : undefined)
  if (!journal) return undefined
  // A stream is continued where it is kept.
  const { opened } = controller
  const isAnnounced = !opened || opened.streamId !== undefined
  const mayContinue = resume && reader !== undefined && journal === journals.resume && isAnnounced
  const keeps = config.onClientDisconnect === 'keep'
  const maxBytes = Math.max(mayContinue ? resume.maxBytes : 0, shared && cache ? cache.maxBytes : 0)
  const hidesUsage = shared?.hidesUsage === true
  const tools = new ToolWatch()
  let isFirst = true
  const graceMs = mayContinue && keeps ? resume.graceMs : 0
  let unmark: (returnMs: number) => void = () => {}
  const recorder: Recorder = new Recorder({
    journal,
    path: exchange.path,
    model: exchange.model,
    maxBytes,
    keepMs: Math.max(mayContinue ? resume.windowMs : 0, shared ? READ_MS : 0),
    graceMs,
    resume: mayContinue ? { reader, streamsUrl: streamsUrlOf(exchange), keeps } : undefined,
    isShared: shared !== undefined,
    hidesUsage,
    isHidden: shared && ((event, framing) => shared.hidesUsage && isUsageEvent(event, framing, exchange.format)),
    onKept: (bytes, framing) => {
      owners?.note(exchange)
      // What was kept is read after it has gone out, and the next event may come much later.
      if (owners && isFirst) setImmediate(() => owners.note(exchange))
      isFirst = false
      if (shared && cache && !cache.toolCalls) tools.see(bytes, framing)
    },
    endOf: (hasBegun, isWhole) => answerEnd(exchange, hasBegun, isWhole, shared !== undefined),
    onBegin: (id) => {
      if (!mayContinue) return
      const known = opened?.streamId ?? id
      if (known !== id) putAlias(journal, known, { entry: id, reader, hidesUsage }, resume.windowMs)
      // The store reports its failures itself.
      catchRejection(journal.put(goneName(known), reader, resume.windowMs * REMEMBERED_WINDOWS), () => {})
      if (shared) unmark = readers.mark(journal, id, known)
    },
    onClientDone: (mayReturn) => unmark(mayReturn ? graceMs : 0),
    onEnded: (end) => {
      if (!shared || !cache || !answers) return
      const isWorthKeeping = shared.mayStore && recorder.bytes <= cache.maxBytes && !tools.hasCall
      const keptAnswer = isWorthKeeping && isStorable(end, exchange, recorder)
      void conclude(end, keptAnswer, { shared, answers, exchange, recorder, cache, mayContinue: mayContinue === true })
    },
    onStop: () => controller.abort(),
    onReaders: () => controller.onReaders(),
  })
  return recorder
}

/** Watches an answer for calls of tools. */
class ToolWatch {
  hasCall = false
  /** The end of the last piece: a name may be cut in two. */
  #rest = Buffer.alloc(0)

  see(bytes: Buffer, framing: Framing | undefined): void {
    if (this.hasCall) return
    if (framing) {
      this.hasCall = callsTool(bytes)
      return
    }
    const joined = Buffer.concat([this.#rest, bytes])
    this.hasCall = callsTool(joined)
    this.#rest = Buffer.from(joined.subarray(-MAX_NAME_BYTES))
  }
}

/** Longer than any pattern of a tool's call. */
const MAX_NAME_BYTES = 64

/** Whether an answer is whole, a success, and the provider's. */
function isStorable(end: JournalEnd, exchange: Exchange, { head, bytes }: Recorder): boolean {
  if (end.how !== 'complete' || exchange.isReplaced || !head || bytes === 0) return false
  if (exchange.providerStatus !== 200 || head.status !== 200 || head.headers['content-encoding']) return false
  const { answer, asksForStream } = exchange
  if (asksForStream) return head.framing !== undefined && answer.isComplete && exchange.traffic.events > 1
  const type = String(head.headers['content-type'] ?? '')
  const isFailed = answer.error !== undefined || answer.isTruncated || answer.isPending
  return head.framing === undefined && /\bjson\b/i.test(type) && !isFailed && hasAnswer(exchange)
}

/** Returns whether a body in one piece has any part of an answer, if a model writes one in a known format. */
function hasAnswer({ answer, client, path, format }: Exchange): boolean {
  if (format.isCustom || !generatesAt(client.method, path, format)) return true
  return answer.finishReason !== undefined || answer.usage !== undefined || answer.estimatedTokens > 0
}

interface Concluded {
  readonly shared: SharedAnswer
  readonly answers: KeptAnswers
  readonly exchange: Exchange
  readonly recorder: Recorder
  readonly cache: ResolvedCache
  readonly mayContinue: boolean
}

/** Stores an answer, or gives its entry up; then lets others ask. */
async function conclude(
  end: JournalEnd,
  isKept: boolean,
  { shared, answers, exchange, recorder, cache, mayContinue }: Concluded,
): Promise<void> {
  const { id, bytes } = recorder
  const { scope, key } = shared
  const { path, model } = exchange
  try {
    const hasUsage = readAnswerEnd(end)?.isUsageReported === true
    if (isKept) await answers.store(key, { id, scope, path, model, bytes, hasUsage })
    if (cache.joins) await answers.release(key, id)
    if (!isKept && !mayContinue && recorder.readers === 0) await answers.forget(id)
  } catch (error) {
    debug.stream('%s the answer cannot be kept: %s', exchange.id, error)
  }
}
