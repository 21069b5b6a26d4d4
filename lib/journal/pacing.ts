import type { CachePace } from '../api/cache.js'
import type { JournalBatch } from '../api/journal.js'
import type { CompleteFormat } from '../formats/index.js'
import type { Framing } from '../framing/index.js'
import { interpret, parseFrame } from '../metering/read-frame.js'
import { TokenCount } from '../metering/token-count.js'
import { split } from './event-ends.js'

/** Timers that fire more often than this cost more than they show. */
const MIN_WAIT_MS = 5

/** Says how many of a batch's events may go out now, and when the next may. */
export type Pacing = (batch: JournalBatch) => { readonly count: number; readonly waitMs: number }

/**
 * Creates the pacing of one replay; `undefined` if nothing waits.
 *
 * @param now monotonic, in milliseconds
 */
export function pacing(
  pace: CachePace,
  format: CompleteFormat,
  framing: Framing,
  now: () => number = () => performance.now(),
): Pacing | undefined {
  if (pace === 'instant') return undefined
  return pace === 'recorded' ? asRecorded(now) : atRate(pace.tokensPerSecond, format, framing, now)
}

function asRecorded(now: () => number): Pacing {
  let offset: number | undefined
  return (batch) => {
    offset ??= now() - batch.at
    const waitMs = batch.at - (now() - offset)
    return waitMs <= 0 ? { count: batch.ends.length, waitMs: 0 } : { count: 0, waitMs }
  }
}

function atRate(perSecond: number, format: CompleteFormat, framing: Framing, now: () => number): Pacing {
  let began: number | undefined
  let sent = 0
  return (batch) => {
    began ??= now()
    const allowed = ((now() - began) / 1000) * perSecond
    let count = 0
    for (const event of split(batch)) {
      if (sent > allowed) break
      sent += tokensIn(event, framing, format)
      count++
    }
    if (count === batch.ends.length) return { count, waitMs: 0 }
    return { count, waitMs: Math.max(MIN_WAIT_MS, ((sent - allowed) / perSecond) * 1000) }
  }
}

function tokensIn(event: Buffer, framing: Framing, format: CompleteFormat): number {
  const parsed = parseFrame(event, framing, true)
  const text = parsed && interpret(parsed.message, parsed.data, format).reading.text
  if (!text) return 0
  const count = new TokenCount()
  const bytes = Buffer.from(text)
  count.read(bytes, 0, bytes.length)
  return Math.max(1, count.tokens)
}
