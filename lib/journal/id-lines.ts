const LF = 10
const CR = 13
const COLON = 58
const ZERO = 48
const ONE = 49
const NINE = 57
const LOWER_I = 105
const ID = Buffer.from('id')

/** Returns the beginning of a stream's id lines. */
export function idLinePrefix(epoch: string): Buffer {
  return Buffer.from(`id: ${epoch}.`)
}

/**
 * Puts an `id` line in front of each event. The events are copied to the end, and each is moved to its place from there:
 * no object is made for an event. A loop over their bytes would take twice as long, and strings as well.
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
  const mostDigits = String(first + ends.length).length
  const size = events.length + ends.length * (prefix.length + mostDigits + 1)
  const out = isReusable ? memoryFor(size) : Buffer.allocUnsafe(size)
  const from = out.length - events.length
  out.set(events, from)
  const line = Buffer.allocUnsafe(prefix.length + mostDigits + 1)
  line.set(prefix)
  let lineLength = prefix.length + line.write(`${first}\n`, prefix.length, 'latin1')
  let at = 0
  let start = 0
  for (const end of ends) {
    for (let index = 0; index < lineLength; index++) out[at++] = line[index]!
    out.copyWithin(at, from + start, from + end)
    at += end - start
    start = end
    lineLength = countUp(line, prefix.length, lineLength)
  }
  return out.subarray(0, at)
}

/**
 * Adds 1 to the number in an id line, in place.
 *
 * @param numberAt where the number begins
 * @param length of the line, after which there is room for another digit
 * @returns its new length
 */
function countUp(line: Buffer, numberAt: number, length: number): number {
  let digit = length - 2
  while (digit >= numberAt && line[digit] === NINE) line[digit--] = ZERO
  if (digit >= numberAt) {
    line[digit]! += 1
    return length
  }
  line[numberAt] = ONE
  line[length - 1] = ZERO
  line[length] = LF
  return length + 1
}

/** Memory for one turn's events, which is reused once they are sent: new memory costs more than the copies. */
const SCRATCH_BYTES = 128 * 1024
/** Node takes smaller buffers from a pool. */
const MIN_SCRATCH_BYTES = 4096
/** A process needs one for each turn that is being written: the loop writes one at a time. */
const MAX_SPARE = 4

const IS_LENT = Symbol('isLent')

interface Scratch extends ArrayBuffer {
  /** Somebody has it. Other memory may have the same size. */
  [IS_LENT]?: boolean
}

const spare: Buffer[] = []

function memoryFor(size: number): Buffer {
  if (size < MIN_SCRATCH_BYTES || size > SCRATCH_BYTES) return Buffer.allocUnsafe(size)
  const memory = spare.pop() ?? Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  ;(memory.buffer as Scratch)[IS_LENT] = true
  return memory
}

/** Reuses the memory of events with ids, which nobody reads any more. */
export function reuse(sent: Buffer): void {
  const memory = sent.buffer as Scratch
  if (!memory[IS_LENT] || spare.length >= MAX_SPARE) return
  memory[IS_LENT] = false
  spare.push(Buffer.from(memory))
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
