import { writeSse } from '../sse-message.js'
import type { Framer } from './framer.js'
import { Held } from './held.js'
import { SSE_HEARTBEAT } from './sse.js'

/**
 * Puts a body that is no event stream into one event, for a client whose response was opened as an event stream before
 * the provider said what it would be.
 */
export class EnclosingFramer implements Framer {
  readonly carriesMessages = true
  readonly heartbeat = SSE_HEARTBEAT
  events = 0
  tooLarge = false
  ends: readonly number[] = []
  readonly #maxBytes: number
  readonly #toEvent: (body: Buffer) => string
  readonly #held = new Held()

  /**
   * @param maxBytes the longest body that is put into an event
   * @param toEvent writes the event
   */
  constructor(maxBytes: number, toEvent: (body: Buffer) => string) {
    this.#maxBytes = maxBytes
    this.#toEvent = toEvent
  }

  push(chunks: readonly Buffer[]): undefined {
    if (this.tooLarge) return undefined
    for (const chunk of chunks) this.#held.hold(chunk)
    if (this.#held.bytes > this.#maxBytes) this.tooLarge = true
    return undefined
  }

  last(): undefined {
    return undefined
  }

  refuse(): void {
    this.events = 0
    this.ends = []
  }

  end(): Buffer {
    this.events = 1
    const event = Buffer.from(this.#toEvent(Buffer.concat(this.#held.take())))
    this.ends = [event.length]
    return event
  }
}

/** A body as the data of an event, whatever lines it has. */
export function asDataEvent(body: Buffer): string {
  return writeSse({ data: body.toString().trim() })
}
