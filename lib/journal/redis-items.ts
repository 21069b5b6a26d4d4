import { isUtf8 } from 'node:buffer'
import type { JournalBatch } from '../api/journal.js'

/** What an item of a stream holds: several batches, one after another. */
export interface EncodedItem {
  /** Number of the last event, which is the item's id. */
  readonly last: number
  readonly first: number
  /** `t`: the events are text; `b`: they are in base64. */
  readonly encoding: 't' | 'b'
  readonly data: string
  /** JSON of a list for each batch: the moment (to the microsecond), then the size of each event. */
  readonly meta: string
}

/** Encodes batches that follow one another. */
export function encodeItem(batches: readonly JournalBatch[]): EncodedItem {
  const bytes = batches.length === 1 ? batches[0]!.bytes : Buffer.concat(batches.map((batch) => batch.bytes))
  const isText = isUtf8(bytes)
  const { first, ends } = batches.at(-1)!
  return {
    last: first + ends.length - 1,
    first: batches[0]!.first,
    encoding: isText ? 't' : 'b',
    data: bytes.toString(isText ? 'utf8' : 'base64'),
    meta: JSON.stringify(batches.map(metaOf)),
  }
}

function metaOf({ at, ends }: JournalBatch): number[] {
  const meta = [Math.round(at * 1000) / 1000]
  let start = 0
  for (const end of ends) {
    meta.push(end - start)
    start = end
  }
  return meta
}

/** @throws Error if it is not what {@link encodeItem} returns */
export function decodeItem(
  id: unknown,
  first: unknown,
  encoding: unknown,
  data: unknown,
  meta: unknown,
): JournalBatch[] {
  const last = Number(/^(\d+)-0$/.exec(String(id))?.[1])
  const lists = parsedMeta(meta)
  if (typeof data !== 'string' || (encoding !== 't' && encoding !== 'b') || !lists) throw unexpectedItem()
  const bytes = Buffer.from(data, encoding === 't' ? 'utf8' : 'base64')
  const batches: JournalBatch[] = []
  let number = Number(first)
  let start = 0
  for (const [at, ...sizes] of lists) {
    const ends: number[] = []
    let size = 0
    for (const each of sizes) {
      size += each
      ends.push(size)
    }
    batches.push({ first: number, bytes: bytes.subarray(start, start + size), ends, at: at! })
    number += sizes.length
    start += size
  }
  if (start !== bytes.length || number - 1 !== last) throw unexpectedItem()
  return batches
}

function parsedMeta(meta: unknown): number[][] | undefined {
  try {
    const lists: unknown = JSON.parse(String(meta))
    const isMeta = (list: unknown) =>
      Array.isArray(list) && list.length > 0 && list.every((each) => Number.isFinite(each) && each >= 0)
    return Array.isArray(lists) && lists.every(isMeta) ? lists : undefined
  } catch {
    return undefined
  }
}

/** Its message has nothing of the item. */
function unexpectedItem(): Error {
  return new Error('Redis sent an unexpected item of a stream')
}
