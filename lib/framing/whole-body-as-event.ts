import { isJsonSpace, skipJsonSpace } from '../json/whitespace.js'
import type { Framer } from './framer.js'
import { PendingBytes } from './pending-bytes.js'
import { SSE_HEARTBEAT } from './sse.js'

/**
 * A longer body is not wrapped: it would have to be read and written at once, and is usually an error or a page.
 */
export const MAX_ENCLOSED_BYTES = 1024 * 1024

/**
 * Wraps a body that is not an event stream into one event, for a client whose response was opened as an event stream
 * before the provider answered.
 */
export class WholeBodyAsEvent implements Framer {
  readonly carriesMessages = true
  readonly heartbeat: Buffer = SSE_HEARTBEAT
  events = 0
  tooLarge = false
  ends: readonly number[] = []
  readonly #maxBytes: number
  readonly #toEvent: (body: Buffer) => Buffer | string
  readonly #pending = new PendingBytes()

  /**
   * @param maxBytes the longest body that is wrapped, if less than 1 MiB
   * @param toEvent writes the event
   */
  constructor(maxBytes: number, toEvent: (body: Buffer) => Buffer | string) {
    this.#maxBytes = Math.min(maxBytes, MAX_ENCLOSED_BYTES)
    this.#toEvent = toEvent
  }

  push(chunks: readonly Buffer[]): undefined {
    if (this.tooLarge) return undefined
    for (const chunk of chunks) this.#pending.append(chunk)
    if (this.#pending.bytes > this.#maxBytes) this.tooLarge = true
    return undefined
  }

  last(): undefined {
    return undefined
  }

  discardLast(): void {
    this.events = 0
    this.ends = []
  }

  end(): Buffer {
    this.events = 1
    const event = this.#toEvent(Buffer.concat(this.#pending.drain()))
    const bytes = typeof event === 'string' ? Buffer.from(event) : event
    this.ends = [bytes.length]
    return bytes
  }
}

const DATA = Buffer.from('data: ')
const LF = 10
const CR = 13

/**
 * Writes a body as the data of an event, with a field per line. A text of megabytes may have many lines, so it works on
 * bytes.
 */
export function asDataEvent(body: Buffer): Buffer {
  let from = skipJsonSpace(body, 0)
  let to = body.length
  while (to > from && isJsonSpace(body[to - 1])) to--
  let lines = 1
  for (let at = from; at < to; at++) if (body[at] === LF || body[at] === CR) lines++
  const event = Buffer.allocUnsafe(to - from + lines * (DATA.length + 1) + 1)
  let end = DATA.copy(event)
  for (; from < to; from++) {
    const byte = body[from]!
    if (byte !== LF && byte !== CR) {
      event[end++] = byte
      continue
    }
    if (byte === CR && body[from + 1] === LF) from++
    event[end++] = LF
    for (let at = 0; at < DATA.length; at++) event[end++] = DATA[at]!
  }
  event[end++] = LF
  event[end++] = LF
  return event.subarray(0, end)
}
