import { PendingBytes } from './pending-bytes.js'

/** The bytes are not what may follow, however often they are asked for. */
export class SplitError extends Error {
  constructor(
    readonly reason: 'other_epoch' | 'corrupt' | 'event_too_large',
    message: string,
  ) {
    super(message)
  }
}

/**
 * Splits a body between its events, and knows which event was the last. Every byte is scanned once, however the body is
 * cut into chunks.
 */
export abstract class EventSplitter {
  /** Number of events so far that count as progress. */
  events = 0
  /** Whether the last event has data and no id: the server's error, which it does not keep. */
  endsWithError = false
  readonly #pending = new PendingBytes()
  readonly #maxEventBytes: number

  /** @param maxEventBytes the longest event that may pass, in bytes */
  constructor(maxEventBytes: number) {
    this.#maxEventBytes = maxEventBytes
  }

  /** What to ask for: the value of `?after=`. */
  abstract get after(): string

  /** Whether the beginning of an event waits for its end. */
  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /**
   * Takes the next bytes of the body.
   *
   * @returns all events that are now complete, or `undefined` if none is
   * @throws SplitError
   */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const complete: Uint8Array[] = []
    let start = 0
    for (let end = this.scan(chunk, 0); end !== -1; end = this.scan(chunk, start)) {
      const part = chunk.subarray(start, end)
      const event = this.#pending.length > 0 ? this.#pending.takeWith(part) : part
      this.#checkSize(event.length)
      start = end
      if (this.accept(event)) complete.push(event)
    }
    if (start < chunk.length) this.#pending.append(chunk.subarray(start))
    this.#checkSize(this.#pending.length)
    return joined(complete)
  }

  /** The body has ended. @returns pending bytes that are complete because nothing follows, or `undefined` */
  end(): Uint8Array | undefined {
    if (!this.isCompleteAtEnd() || !this.hasPending) return undefined
    const event = this.#pending.takeWith(new Uint8Array(0))
    return this.accept(event) ? event : undefined
  }

  /** Drops an incomplete event: what comes next is from another connection, and starts with an event. */
  restart(): void {
    this.#pending.clear()
    this.restartScan()
  }

  /**
   * Looks for the end of the event that is being scanned.
   *
   * @param from where to start: everything before has been scanned, and an event that ended there has been taken
   * @returns index after the event's last byte, or -1 if it is not in the chunk
   */
  protected abstract scan(chunk: Uint8Array, from: number): number

  /** Forgets what is known of the current event. */
  protected abstract restartScan(): void

  /** Counts an event. @returns `false` if the reader already has it */
  protected abstract accept(event: Uint8Array): boolean

  /** Returns whether the pending bytes are an event if the body ends here. */
  protected isCompleteAtEnd(): boolean {
    return false
  }

  #checkSize(bytes: number): void {
    if (bytes <= this.#maxEventBytes) return
    throw new SplitError('event_too_large', `an event has more than maxEventBytes, ${this.#maxEventBytes} bytes`)
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array | undefined {
  if (parts.length <= 1) return parts[0]
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
