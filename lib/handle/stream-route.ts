import { AiProxyError } from '../api/errors.js'
import type { Journal, JournalPage } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { sse } from '../framing/index.js'
import { readAnswerEnd } from '../journal/answer-end.js'
import { idLinePrefix } from '../journal/id-lines.js'
import type { EntryAbout } from '../journal/recorder.js'
import { isStreamId, parseEventId, subjectKey } from '../journal/stream-ids.js'
import { withoutUsage } from '../journal/usage-events.js'
import type { ResolvedResume } from '../options/resume.js'
import { admitEndpoint, allowHeader } from '../request/admit-endpoint.js'
import type { ResponseController } from '../response/response-controller.js'
import { isThenable } from '../util/promises.js'
import { askApp } from './ask-app.js'
import type { ProxyContext } from './context.js'
import { lookAgain } from './look-again.js'
import { readAlias } from './stream-alias.js'
import { returnTimeOf } from './stream-readers.js'
import { formatAt } from './target-pool.js'

const ROUTE = '/-/streams/'
const METHODS = ['GET', 'HEAD', 'DELETE']
/** Query parameter with the number of the last event that the client has. */
const AFTER = 'after'

/** Returns whether a path leads to a kept stream. */
export function isStreamRoute(url: string): boolean {
  return url.startsWith(ROUTE)
}

/** Returns the beginning of the paths of a middleware's kept streams, as clients see it. */
export function streamsUrlOf({ req }: Exchange): string {
  return (req.baseUrl ?? '').replace(/^[/\\]+/, '/') + ROUTE
}

/** A stream that the client may read. */
interface FoundStream {
  /** The journal's id of it. */
  readonly id: string
  readonly about: EntryAbout
  readonly page: JournalPage
  /** Other subjects may read it, too. */
  readonly isShared: boolean
  /** It does not get the event that only reports usage. */
  readonly hidesUsage: boolean
}

/**
 * Continues a stream, reports its state, or stops it.
 *
 * @throws AiProxyError `stream_not_found`, also if it is another subject's; `resume_gone`; `journal_unavailable`
 */
export async function serveStream(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
  resume: ResolvedResume,
  journal: Journal,
): Promise<void> {
  const { req, res } = exchange
  if (req.method === 'OPTIONS') return controller.respond(204, { allow: allowHeader(METHODS) })
  admitEndpoint(METHODS, req.method)
  const [path = '', query = ''] = req.url.split('?', 2)
  const id = path.slice(ROUTE.length)
  const who = await askApp('resume.who', exchange, controller, () => resume.who(exchange.hookView()))
  if (exchange.isSettled) return
  // What everybody may ask for at any time must not be stored on the way.
  res.setHeader('cache-control', 'no-store')
  const found = await available(() => findStream(journal, id, who, exchange))
  if (exchange.isSettled) return
  const { about, page } = found
  exchange.route(about.path, formatAt(context.config, about.path))
  exchange.describe(about.model, true)
  if (req.method === 'HEAD') return controller.respond(200, standOf(page))
  if (req.method === 'DELETE') {
    const { readers } = context
    await available(async () => {
      if (found.isShared) await readers.stopUnlessShared(journal, found.id, id)
      else await journal.stop(found.id)
    })
    return controller.respond(204, {})
  }
  const after = positionIn(req.headers['last-event-id'], query, about.epoch)
  if (page.oldest > after + 1 && page.newest > after) throw gone()
  if (page.state === 'ended' && page.end?.how !== 'vacated' && after >= page.newest) return controller.respond(204, {})
  const unmark = found.isShared ? context.readers.markAgain(journal, found.id, id) : undefined
  const replayed = controller.replay({
    journal,
    id: found.id,
    after,
    idPrefixFor: (framing) => (framing === sse ? idLinePrefix(about.epoch) : undefined),
    headersFor: () => ({ 'x-stream-id': id, 'x-stream-url': streamsUrlOf(exchange) + id }),
    mayBeVacated: false,
    isRecorded: false,
    ...(found.hidesUsage && { select: (batch, framing) => withoutUsage(batch, framing, exchange.format) }),
  })
  await replayed.finally(() => unmark?.(returnTimeOf(exchange, context.config)))
}

/** Name under which the owner of a stream is remembered once the stream is not kept any more. */
export function goneName(id: string): string {
  return `t:${id}`
}

async function findStream(
  journal: Journal,
  id: string,
  who: string | undefined,
  exchange: Exchange,
): Promise<FoundStream> {
  if (!isStreamId(id) || who === undefined) throw notFound()
  const reader = subjectKey(who)
  const asked = readStand(journal, id)
  let found = await streamOf(await asked, journal, id, reader)
  // Only a store that is elsewhere may lag behind.
  if (!found && isThenable(asked)) {
    found = await lookAgain(exchange, async () => streamOf(await readStand(journal, id), journal, id, reader))
  }
  if (found) return found
  const owners = [(await readAlias(journal, id))?.reader, await journal.get(goneName(id))]
  throw owners.includes(reader) ? gone() : notFound()
}

/** Reads how a stream stands, and nothing of it. */
function readStand(journal: Journal, id: string): JournalPage | Promise<JournalPage> {
  return journal.read(id, Number.MAX_SAFE_INTEGER, 1)
}

/**
 * @returns `undefined` if it is not there
 * @throws AiProxyError `stream_not_found` if it is another subject's
 */
async function streamOf(
  page: JournalPage,
  journal: Journal,
  id: string,
  reader: string,
): Promise<FoundStream | undefined> {
  if (page.state !== 'missing') {
    const about = JSON.parse(page.about) as EntryAbout
    if (about.reader !== reader) throw notFound()
    return { id, about, page, isShared: about.isShared === true, hidesUsage: about.hidesUsage === true }
  }
  const alias = await readAlias(journal, id)
  if (!alias) return undefined
  if (alias.reader !== reader) throw notFound()
  const shared = await readStand(journal, alias.entry)
  if (shared.state === 'missing') return undefined
  return {
    id: alias.entry,
    about: JSON.parse(shared.about) as EntryAbout,
    page: shared,
    isShared: true,
    hidesUsage: alias.hidesUsage,
  }
}

function standOf({ state, oldest, newest, end, head }: JournalPage): Record<string, string> {
  const how = end && readAnswerEnd(end)?.failure ? 'failed' : end?.how === 'failed' ? 'failed' : 'complete'
  const type = head?.headers['content-type']
  return {
    'x-stream-state': state === 'ended' ? how : state,
    'x-stream-oldest': String(oldest),
    'x-stream-newest': String(newest),
    ...(typeof type === 'string' && { 'content-type': type }),
  }
}

/**
 * Returns the number of the last event that the client has. A browser that reconnects sends the header together
 * with the query of its first request.
 */
function positionIn(header: string | string[] | undefined, query: string, epoch: string): number {
  const given = [header].flat()[0] || (new URLSearchParams(query).get(AFTER) ?? '')
  if (given === '') return 0
  const position = parseEventId(given)
  if (!position) {
    const message = 'Last-Event-ID takes the id of an event of this stream, and ?after= that or its number'
    throw new AiProxyError('invalid_request', message)
  }
  if (position.epoch !== undefined && position.epoch !== epoch) throw gone()
  return position.number
}

/** Says that the store fails, in place of its own error. */
async function available<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    if (cause instanceof AiProxyError) throw cause
    const headers = { 'x-stream-state': 'unknown' }
    throw new AiProxyError('journal_unavailable', 'Kept answers cannot be read now', { cause, headers })
  }
}

function notFound(): AiProxyError {
  return new AiProxyError('stream_not_found', 'There is no such stream')
}

function gone(): AiProxyError {
  return new AiProxyError('resume_gone', 'This part of the stream is not kept any more')
}
