import type { JournalBatch, JournalEnd, JournalHead, JournalPage } from '../api/journal.js'
import { followingBatches } from './following-batches.js'
import { MISSING } from './missing-page.js'
import { decodeItem } from './redis-items.js'

/** What Redis knows of an entry. */
export interface EntryInfo {
  readonly isWriterAlive: boolean
  /** It has not said in time that it is alive, and not that it leaves. */
  readonly isWriterLate: boolean
  /** The process that writes it. */
  readonly writer: string
  readonly about: string
  readonly head: JournalHead | undefined
  readonly end: JournalEnd | undefined
  readonly newest: number
  readonly oldest: number
  /** The id of the stream's last item. */
  readonly position: string
  readonly batches: readonly JournalBatch[]
}

/** @throws Error if Redis answered something else, as a proxy or a wrong server may */
export function parseEntry(answer: unknown): EntryInfo | undefined {
  if (!Array.isArray(answer)) throw unexpected()
  if (answer.length === 0) return undefined
  const [alive, writer, about, head, end, newest, oldest, position, items] = answer
  const texts = [writer, about, head, end, position]
  if (!texts.every((text) => typeof text === 'string') || !Array.isArray(items)) throw unexpected()
  return {
    isWriterAlive: parseInteger(alive) === 1,
    isWriterLate: parseInteger(alive) === -1,
    ...{ writer, about, position },
    head: parseHead(head),
    end: parseEnd(end),
    newest: parseNumber(newest),
    oldest: parseNumber(oldest),
    batches: items.flatMap((item) => {
      if (!Array.isArray(item)) throw unexpected()
      return decodeItem(item[0], item[1], item[2], item[3], item[4])
    }),
  }
}

/** Returns a whole number, which some settings of clients make a text; `undefined` for anything else. */
export function parseInteger(value: unknown): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return Number.isSafeInteger(number) ? (number as number) : undefined
}

/** @throws Error if it is not the number of an event */
export function parseNumber(text: unknown): number {
  const number = parseInteger(text)
  if (number === undefined || number < 0) throw unexpected()
  return number
}

/** @throws Error if it is not a head as JSON, or nothing */
export function parseHead(text: string): JournalHead | undefined {
  if (text === '') return undefined
  const head = parseObject(text)
  if (typeof head.status !== 'number' || typeof head.headers !== 'object' || head.headers === null) throw unexpected()
  // JSON leaves out what is undefined.
  return { ...head, framing: head.framing } as unknown as JournalHead
}

/** @throws Error if it is not an end as JSON, or nothing */
export function parseEnd(text: string): JournalEnd | undefined {
  if (text === '') return undefined
  const end = parseObject(text)
  if (typeof end.about !== 'string' || !['complete', 'failed', 'vacated'].includes(String(end.how))) throw unexpected()
  return end as unknown as JournalEnd
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw unexpected()
}

/** Returns what follows an event. An entry of which something has gone that should be there is missing. */
export function pageOf(info: EntryInfo | undefined, after: number, maxBytes: number): JournalPage {
  if (!info) return MISSING
  const { about, head, end, newest, oldest } = info
  const batches = followingBatches(info.batches, after, maxBytes)
  const next = Math.max(after + 1, oldest)
  if (maxBytes > 0 && next <= newest && !((batches[0]?.first ?? Number.POSITIVE_INFINITY) <= next)) return MISSING
  const state = end ? 'ended' : info.isWriterAlive ? 'open' : 'lost'
  return { state, about, head, batches, oldest, newest, end }
}

/** An item of a stream: its id, and its fields. */
export type StreamItem = readonly [id: string, fields: ReadonlyMap<string, string>]

/**
 * Returns the items by the names of their streams. Clients give a list of pairs, a flat list, a `Map` or an object.
 *
 * @throws Error if Redis answered something else
 */
export function parseStreams(answer: unknown): ReadonlyMap<string, readonly StreamItem[]> {
  if (answer === null || answer === undefined) return new Map()
  return new Map(pairsOf(answer).map(([name, items]) => [String(name), parseItems(items)]))
}

/** @throws Error if they are not items of a stream */
export function parseItems(items: unknown): StreamItem[] {
  if (!Array.isArray(items)) throw unexpected()
  return items.map((item): StreamItem => {
    if (!Array.isArray(item)) throw unexpected()
    return [String(item[0]), new Map(pairsOf(item[1]).map(([name, value]) => [String(name), String(value)]))]
  })
}

function pairsOf(value: unknown): (readonly [unknown, unknown])[] {
  if (value instanceof Map) return [...value]
  if (Array.isArray(value)) {
    if (value.every((each) => Array.isArray(each) && each.length === 2)) return value
    if (value.length % 2 !== 0) throw unexpected()
    return Array.from({ length: value.length / 2 }, (_, at) => [value[2 * at], value[2 * at + 1]])
  }
  if (typeof value === 'object' && value !== null) return Object.entries(value)
  throw unexpected()
}

/** Its message has nothing of the answer. */
function unexpected(): Error {
  return new Error('Redis sent an unexpected answer about an entry')
}
