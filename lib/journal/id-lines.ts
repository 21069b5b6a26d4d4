const LF = 10
const CR = 13
const COLON = 58
const ZERO = 48
const LOWER_I = 105
const ID = Buffer.from('id')

/** Returns the beginning of a stream's id lines. */
export function idLinePrefix(epoch: string): Buffer {
  return Buffer.from(`id: ${epoch}.`)
}

/**
 * Puts an `id` line in front of each event. Native copies of single events are what this costs; a loop over their bytes
 * would take twice as long, and strings as well.
 *
 * @param ends where each event ends
 * @param first number of the first event
 * @param isReusable whether the result goes to `reuse` once it is sent
 */
export function withIdLines(
  events: Buffer,
  ends: readonly number[],
  prefix: Buffer,
  first: number,
  isReusable = false,
): Buffer {
  const last = first + ends.length - 1
  const size = events.length + ends.length * (prefix.length + digitsOf(last) + 1)
  const out = isReusable ? memoryFor(size) : Buffer.allocUnsafe(size)
  const { buffer, byteOffset } = events
  let at = 0
  let start = 0
  let number = first
  for (const end of ends) {
    for (let index = 0; index < prefix.length; index++) out[at++] = prefix[index]!
    at = writeNumber(out, at, number++)
    out[at++] = LF
    out.set(new Uint8Array(buffer, byteOffset + start, end - start), at)
    at += end - start
    start = end
  }
  return out.subarray(0, at)
}

/** Memory for one turn's events, which is used again once they are sent: new memory costs more than the copies. */
const SCRATCH_BYTES = 128 * 1024
/** Node has a pool for what is smaller. */
const MIN_SCRATCH_BYTES = 4096
let scratch: Buffer | undefined = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
/** The memory that was given out last. Other memory may have the same size. */
let lent: ArrayBufferLike | undefined

function memoryFor(size: number): Buffer {
  if (size < MIN_SCRATCH_BYTES || size > SCRATCH_BYTES) return Buffer.allocUnsafe(size)
  const memory = scratch ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  scratch = undefined
  lent = memory.buffer
  return memory
}

/** Reuses the memory of events with ids, which nobody reads any more. */
export function reuse(sent: Buffer): void {
  if (sent.buffer !== lent) return
  scratch = Buffer.from(sent.buffer as ArrayBuffer)
  lent = undefined
}

function digitsOf(number: number): number {
  let digits = 1
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) digits++
  return digits
}

/** @returns where the number ends */
function writeNumber(out: Buffer, at: number, number: number): number {
  const end = at + digitsOf(number)
  let rest = number
  for (let index = end - 1; index >= at; index--) {
    out[index] = ZERO + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return end
}

/** Returns whether an event begins with an id of its own. */
export function beginsWithId(events: Buffer, start: number): boolean {
  return events[start] === LOWER_I && events[start + 1] === ID[1] && isEndOfName(events[start + 2])
}

/** Returns whether any line of an event is an id. */
export function hasIdLine(event: Buffer): boolean {
  return linesOf(event).some(([start]) => beginsWithId(event, start))
}

/** Returns an event without its id lines, which would take effect in place of the added ones. */
export function withoutIdLines(event: Buffer): Buffer {
  const lines = linesOf(event)
  const kept = lines.filter(([start]) => !beginsWithId(event, start))
  return kept.length === lines.length ? event : Buffer.concat(kept.map(([start, end]) => event.subarray(start, end)))
}

function isEndOfName(byte: number | undefined): boolean {
  return byte === COLON || byte === LF || byte === CR || byte === undefined
}

/** Returns start and end of each line, with its line end. */
function linesOf(event: Buffer): (readonly [number, number])[] {
  const lines: (readonly [number, number])[] = []
  let start = 0
  for (let at = 0; at < event.length; at++) {
    if (event[at] !== LF && event[at] !== CR) continue
    if (event[at] === CR && event[at + 1] === LF) at++
    lines.push([start, at + 1])
    start = at + 1
  }
  if (start < event.length) lines.push([start, event.length])
  return lines
}
