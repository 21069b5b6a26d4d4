import type { Format, JsonObject, Reading, WholeItem } from '../formats/index.js'
import type { Framing, Message } from '../framing/index.js'
import { isObject, parsedJson } from '../json.js'
import { type EstimateTokens, tokensByApp } from './app-estimate.js'
import { RunningEstimate } from './estimate.js'
import type { Findings } from './findings.js'
import { markedFrames } from './marked.js'
import { Tail } from './tail.js'

/** What is done with what passes; what the client sees of it. */
export interface Metering {
  /**
   * Takes whole frames on their way to the client.
   *
   * @param ends where each of them ends
   * @returns what the client is to get of them; `undefined` where that is nothing
   */
  pass(frames: Buffer, ends: readonly number[], now: number): Buffer | undefined
  /** What went wrong in `pass`: nothing may pass any more. */
  readonly failure?: { readonly error: unknown } | undefined
  /** Nothing more passes. */
  finish(now: number): void
}

export interface PassageOptions {
  /** How much the client has been sent: something of ours (a heartbeat) may stand before the first frame. */
  readonly sent: { readonly bytes: number }
  /** The event that tells usage and nothing else was not asked for by the client, who shall not see it. */
  readonly hidesUsage: boolean
  /** Estimates the tokens of a piece of text, in the place of our own estimate. */
  readonly estimateTokens: EstimateTokens | undefined
  /** Sees each event: `undefined` passes it as it is, `null` drops it, a message goes out in its place. */
  readonly onMessage: ((message: Message, data: unknown) => Message | null | undefined) | undefined
}

/**
 * The frames of a stream as they pass: metered, and changed where that was asked for. Most frames are not read at all:
 * those that may tell something are found by their bytes, and so is the text of the others, for the estimate.
 */
export class Passage implements Metering {
  failure: { readonly error: unknown } | undefined
  readonly #format: Format
  readonly #framing: Framing
  readonly #findings: Findings
  readonly #options: PassageOptions
  readonly #marker: Buffer
  readonly #readsAll: boolean
  readonly #estimate = new RunningEstimate()
  readonly #tail = new Tail()
  /** Something has gone out; and before that, frames were left out. */
  #isBegun = false
  #owesBeginning = false
  #isPastFirst = false
  /** The item that was said whole last, and the estimate with it. */
  #lastWhole: { readonly id: string | undefined; readonly tokens: number } = { id: undefined, tokens: 0 }

  constructor(format: Format, framing: Framing, findings: Findings, options: PassageOptions) {
    this.#format = format
    this.#framing = framing
    this.#findings = findings
    this.#options = options
    this.#marker = Buffer.from(format.usageMarker)
    this.#readsAll = this.#marker.length === 0 || Boolean(options.estimateTokens ?? options.onMessage)
  }

  pass(frames: Buffer, ends: readonly number[], now: number): Buffer | undefined {
    const seen = this.#passed(frames, ends, now)
    if (this.#isPastFirst || !seen) return seen
    this.#isPastFirst = true
    return this.#options.sent.bytes > 0 ? (this.#framing.behindOthers?.(seen) ?? seen) : seen
  }

  #passed(frames: Buffer, ends: readonly number[], now: number): Buffer | undefined {
    const marked = this.#readsAll ? undefined : markedFrames(frames, ends, this.#marker)
    let nextMark = 0
    let pieces: Buffer[] | undefined
    let kept = 0
    let start = 0
    for (let at = 0; at < ends.length; at++) {
      const end = ends[at]!
      const isMarked = marked !== undefined && marked[nextMark] === at
      if (isMarked) nextMark++
      const isRead = isMarked || this.#readsAll
      if (isRead || !this.#estimate.count(frames, start, end)) {
        const frame = frames.subarray(start, end)
        const seen = this.#asFirst(this.#tried(frame, now))
        if (this.failure) return joined([...(pieces ?? []), frames.subarray(kept, start)])
        if (seen !== frame) {
          pieces ??= []
          pieces.push(frames.subarray(kept, start), seen)
          kept = end
        }
      }
      start = end
    }
    this.#findings.estimatedTokens = this.#estimate.tokens
    if (!this.#readsAll) this.#tail.keep(frames, ends)
    if (!pieces) return frames
    return joined([...pieces, frames.subarray(kept)])
  }

  /** What stands in the last frames (finish reason, error) need not have had a mark. */
  finish(now: number): void {
    for (const frame of this.#tail.frames()) {
      this.#findings.noteAtEnd(this.#read(frame)?.reading ?? {}, now)
    }
  }

  /** What the app's hook throws ends the stream, behind the frames before it. */
  #tried(frame: Buffer, now: number): Buffer {
    try {
      return this.#look(frame, now)
    } catch (error) {
      this.failure = { error }
      return NOTHING
    }
  }

  /** @returns what the client gets of the frame: the frame itself, another in its place, or no bytes */
  #look(frame: Buffer, now: number): Buffer {
    const read = this.#read(frame)
    if (!read) return frame
    const { message, data, reading } = read
    const { estimateTokens, hidesUsage, onMessage } = this.#options
    const text = reading.text ?? this.#unseen(reading.whole)
    const tokens = tokensByApp(estimateTokens, text, this.#findings.model)
    this.#estimate.add(text, tokens)
    if (reading.text && !this.#readsAll) this.#estimate.learn(frame, reading.text)
    if (reading.whole) this.#lastWhole = { id: reading.whole.id, tokens: this.#estimate.tokens }
    this.#findings.estimatedTokens = this.#estimate.tokens
    this.#findings.note(reading, now)
    if (hidesUsage && reading.isUsageOnly) return NOTHING
    const replaced = data === undefined ? undefined : onMessage?.(message, data)
    if (replaced === undefined) return frame
    return replaced === null ? NOTHING : this.#framing.write(replaced, frame)
  }

  /** The text of an item that is said whole, unless pieces of it have passed, or it has been said before. */
  #unseen(whole: WholeItem | undefined): string | undefined {
    const { id, tokens } = this.#lastWhole
    return whole === undefined || whole.id === id || this.#estimate.tokens > tokens ? undefined : whole.text
  }

  /** Where the frames up to here were left out, the next one is the first that the client sees. */
  #asFirst(seen: Buffer): Buffer {
    if (!this.#framing.asFirst || this.#isBegun) return seen
    if (seen.length === 0) {
      this.#owesBeginning = true
      return seen
    }
    this.#isBegun = true
    return this.#owesBeginning ? this.#framing.asFirst(seen) : seen
  }

  #read(frame: Buffer): { message: Message; data: unknown; reading: Reading } | undefined {
    const message = this.#framing.read(frame)
    const data = message && parsedJson(message.data)
    if (!message || (data === undefined && !message.isError)) return undefined
    const reading = isObject(data) ? this.#format.readMessage(data as JsonObject, message.event) : {}
    const error = message.isError ? (reading.error ?? message.event ?? 'an error') : reading.error
    return { message, data, reading: error === undefined ? reading : { ...reading, error } }
  }
}

const NOTHING = Buffer.alloc(0)

function joined(pieces: readonly Buffer[]): Buffer | undefined {
  const whole = Buffer.concat(pieces)
  return whole.length > 0 ? whole : undefined
}
