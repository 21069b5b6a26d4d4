import type { JournalBatch } from '../api/journal.js'
import type { CompleteFormat } from '../formats/index.js'
import type { Framing } from '../framing/index.js'
import { isObject } from '../json/json.js'
import { interpret, parseFrame } from '../metering/read-frame.js'
import { selected } from './id-bytes.js'

/** Returns whether an event only reports usage, which clients get that have asked for it. */
export function isUsageEvent(event: Buffer, framing: Framing, format: CompleteFormat): boolean {
  if (format.usageRequest === undefined || !event.includes(format.usageMarker)) return false
  const parsed = parseFrame(event, framing, true)
  if (!parsed) return false
  const { reading } = interpret(parsed.message, parsed.data, format)
  return reading.isUsageOnly === true && reading.error === undefined
}

/** Returns whether a request asks for such an event. */
export function wantsUsage(body: unknown, { usageRequest }: CompleteFormat): boolean {
  if (usageRequest === undefined) return true
  const [field, flag] = usageRequest
  const options = isObject(body) ? body[field] : undefined
  return isObject(options) && options[flag] === true
}

/** Removes from a batch the events that only report usage. @returns what is left, in one piece or several */
export function withoutUsage(batch: JournalBatch, framing: Framing, format: CompleteFormat): readonly JournalBatch[] {
  if (!batch.bytes.includes(format.usageMarker)) return [batch]
  return selected(batch, (event) => !isUsageEvent(event, framing, format))
}
