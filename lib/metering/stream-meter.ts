import type { Metering } from '../exchange/metering.js'
import type { UsageAccumulator } from '../exchange/usage-accumulator.js'
import {
  anyErrorIn,
  type CompleteFormat,
  type JsonObject,
  type ParsedMessage,
  sentenceOf,
  type WholeItem,
} from '../formats/index.js'
import { type Framing, type Message, sizeOf } from '../framing/index.js'
import { isObject, tryParseJson } from '../json/json.js'
import { type EstimateTokens, tokensByApp } from '../options/estimate-tokens.js'
import { RunningEstimate } from './estimate.js'
import { framesContaining } from './frames-containing.js'
import { digestFrame, LargeFrame } from './large-frame.js'
import { LastFrames } from './last-frames.js'
import { isExpensiveToParse } from './parse-cost.js'

/** So many frames of a turn are looked into for content, the last ones first: of pings there may be thousands. */
const MAX_SAMPLES_PER_TURN = 64

/** So many characters are kept of an error that is no JSON. */
const MAX_ERROR_CHARS = 1000

export interface StreamMeterOptions {
  /** It matters when content passes: each turn's frames are looked through for some. */
  readonly noticesContent?: boolean
  /** How much the client has been sent: something of ours (a heartbeat) may stand before the first frame. */
  readonly sent: { readonly bytes: number }
  /** The event that tells usage and nothing else was not asked for by the client, who shall not see it. */
  readonly hidesUsage: boolean
  /** Estimates the tokens of a piece of text, in the place of our own estimate. */
  readonly estimateTokens: EstimateTokens | undefined
  /** Sees each event: `undefined` passes it as it is, `null` drops it, a message goes out in its place. */
  readonly onMessage: ((message: Message, data: unknown) => Message | null | undefined) | undefined
}

/** What a frame says. */
interface ReadFrame {
  readonly message: Message
  readonly data: unknown
  readonly reading: ParsedMessage
}

/**
 * The frames of a stream as they pass: metered, and changed where that was asked for. Most frames are not read at all:
 * those that may tell something are found by their bytes, and so is the text of the others, for the estimate.
 */
export class StreamMeter implements Metering {
  prefix: readonly Buffer[] = NONE
  failure: { readonly error: unknown } | undefined
  readonly #format: CompleteFormat
  readonly #framing: Framing
  readonly #findings: UsageAccumulator
  readonly #options: StreamMeterOptions
  readonly #usageMarker: Buffer
  readonly #readsAll: boolean
  /** Nothing that passes is changed or left out: it is written before it is read. */
  readonly #defersReading: boolean
  #deferred: { readonly frames: Buffer; readonly ends: readonly number[] } | undefined
  readonly #estimate = new RunningEstimate()
  readonly #lastFrames = new LastFrames()
  /** Something has gone out; and before that, frames were left out. */
  #hasOutput = false
  #droppedFirst = false
  #isPastFirst = false
  #large: LargeFrame | undefined
  /** The item that was said whole last, and the estimate with it. */
  #lastWhole: { readonly id: string | undefined; readonly tokens: number } = { id: undefined, tokens: 0 }

  constructor(format: CompleteFormat, framing: Framing, findings: UsageAccumulator, options: StreamMeterOptions) {
    this.#format = format
    this.#framing = framing
    this.#findings = findings
    this.#options = options
    this.#usageMarker = Buffer.from(format.usageMarker)
    this.#defersReading = !options.hidesUsage && !options.onMessage
    this.#readsAll = this.#usageMarker.length === 0 || Boolean(options.estimateTokens ?? options.onMessage)
  }

  pass(frames: Buffer, ends: readonly number[], now: number, ahead = NONE): Buffer | undefined {
    this.prefix = NONE
    // The app's hook gets each event whole, however large it is.
    if (ahead.length > 0 && this.#options.onMessage) {
      const size = sizeOf(ahead)
      return this.pass(
        Buffer.concat([...ahead, frames]),
        ends.map((end) => end + size),
        now,
      )
    }
    this.readPassed(now)
    const isLarge = ahead.length > 0
    if (isLarge) this.#passLarge(frames.subarray(0, ends[0]), now, ahead)
    this.#large = undefined
    const isReadLater = this.#defersReading && !isLarge
    if (isReadLater) this.#deferred = { frames, ends }
    const seen = isReadLater ? frames : this.#transformAll(frames, ends, now, isLarge ? 1 : 0)
    if (this.#isPastFirst || !seen) return seen
    this.#isPastFirst = true
    return this.prefix.length === 0 ? this.#asContinuation(seen) : seen
  }

  readPassed(now: number): void {
    const unread = this.#deferred
    if (!unread) return
    this.#deferred = undefined
    this.#transformAll(unread.frames, unread.ends, now, 0)
  }

  follow(pieces: readonly Buffer[]): void {
    if (this.#options.onMessage) return
    this.#advanceLarge(pieces, false)
  }

  isWhole(pieces: readonly Buffer[]): boolean {
    return this.#advanceLarge(pieces, true).data !== undefined
  }

  #advanceLarge(pieces: readonly Buffer[], isAll: boolean): LargeFrame {
    this.#large ??= new LargeFrame(this.#framing)
    this.#large.advance(pieces, isAll)
    return this.#large
  }

  #passLarge(end: Buffer, now: number, [first, ...others]: readonly Buffer[]): void {
    const beginning = this.#isPastFirst ? first! : this.#asContinuation(first!)
    this.prefix = [this.#asFirst(beginning), ...others]
    const { data } = this.#advanceLarge([first!, ...others, end], true)
    const read = this.#readDigest(data, now)
    if (read) this.#count(read.reading, now)
  }

  #asContinuation(frames: Buffer): Buffer {
    return this.#options.sent.bytes > 0 ? (this.#framing.asContinuation?.(frames) ?? frames) : frames
  }

  /** @param first the index of the first frame that is looked at */
  #transformAll(frames: Buffer, ends: readonly number[], now: number, first: number): Buffer | undefined {
    const framesWithMarker = this.#readsAll ? undefined : framesContaining(frames, ends, this.#usageMarker)
    let nextWithMarker = framesWithMarker !== undefined && first > 0 && framesWithMarker[0] === 0 ? 1 : 0
    let pieces: Buffer[] | undefined
    let kept = 0
    let start = first === 0 ? 0 : ends[0]!
    for (let at = first; at < ends.length; at++) {
      const end = ends[at]!
      const hasMarker = framesWithMarker !== undefined && framesWithMarker[nextWithMarker] === at
      if (hasMarker) nextWithMarker++
      // Where each of several choices ends is told by frames that nothing marks.
      const isRead = hasMarker || this.#readsAll || this.#findings.hasSeveralChoices
      if (isRead || !this.#estimate.count(frames, start, end)) {
        const frame = frames.subarray(start, end)
        const seen = this.#asFirst(this.#tryTransform(frame, now))
        if (this.failure) return concatNonEmpty([...(pieces ?? []), frames.subarray(kept, start)])
        if (seen !== frame) {
          pieces ??= []
          pieces.push(frames.subarray(kept, start), seen)
          kept = end
        }
      }
      start = end
    }
    this.#findings.estimatedTokens = this.#estimate.tokens
    if (!this.#readsAll || !this.#findings.hasMessages) this.#lastFrames.keep(frames, ends, first)
    if (this.#options.noticesContent && this.#findings.contentAt !== now) this.#noticeContent(frames, ends, now, first)
    if (!pieces) return frames
    return concatNonEmpty([...pieces, frames.subarray(kept)])
  }

  /** What stands in the last frames (finish reason, error) need not have had a mark. */
  finish(now: number): void {
    this.readPassed(now)
    const frames = this.#lastFrames.frames()
    for (const frame of frames) {
      this.#findings.noteAtEnd(this.#read(frame, now)?.reading ?? {}, now)
    }
    if (this.#findings.hasMessages || frames.length === 0) return
    this.#findings.strayText = Buffer.concat(frames).toString() + (this.#findings.strayText ?? '')
  }

  /** Looks for the last frame of a turn with content, which as a rule is its last frame. */
  #noticeContent(frames: Buffer, ends: readonly number[], now: number, first: number): void {
    for (let at = ends.length - 1, samples = 0; at >= first && samples < MAX_SAMPLES_PER_TURN; at--, samples++) {
      this.#read(frames.subarray(ends[at - 1] ?? 0, ends[at]), now)
      if (this.#findings.contentAt === now) return
    }
  }

  /** What the app's hook throws ends the stream, behind the frames before it. */
  #tryTransform(frame: Buffer, now: number): Buffer {
    try {
      return this.#transform(frame, now)
    } catch (error) {
      this.failure = { error }
      return EMPTY
    }
  }

  /** @returns what the client gets of the frame: the frame itself, another in its place, or no bytes */
  #transform(frame: Buffer, now: number): Buffer {
    const read = this.#read(frame, now)
    if (!read) return frame
    const { message, data, reading } = read
    const { hidesUsage, onMessage } = this.#options
    this.#count(reading, now)
    if (reading.text && !this.#readsAll) this.#estimate.learn(frame, reading.text)
    // An error is for the client, whatever it is told beside.
    if (hidesUsage && reading.isUsageOnly && reading.error === undefined) return EMPTY
    const replaced = data === undefined ? undefined : onMessage?.(message, data)
    if (replaced === undefined) return frame
    return replaced === null ? EMPTY : this.#framing.write(replaced, frame)
  }

  #count(reading: ParsedMessage, now: number): void {
    const text = reading.text ?? this.#unseenText(reading.whole)
    this.#estimate.add(text, tokensByApp(this.#options.estimateTokens, text, this.#findings.model))
    if (reading.whole) this.#lastWhole = { id: reading.whole.id, tokens: this.#estimate.tokens }
    this.#findings.estimatedTokens = this.#estimate.tokens
    this.#findings.note(reading, now)
  }

  /** The text of an item that is said whole, unless pieces of it have passed, or it has been said before. */
  #unseenText(whole: WholeItem | undefined): string | undefined {
    const { id, tokens } = this.#lastWhole
    return whole === undefined || whole.id === id || this.#estimate.tokens > tokens ? undefined : whole.text
  }

  /** Where the frames up to here were left out, the next one is the first that the client sees. */
  #asFirst(seen: Buffer): Buffer {
    if (!this.#framing.asFirst || this.#hasOutput) return seen
    if (seen.length === 0) {
      this.#droppedFirst = true
      return seen
    }
    this.#hasOutput = true
    return this.#droppedFirst ? this.#framing.asFirst(seen) : seen
  }

  #read(frame: Buffer, now: number): ReadFrame | undefined {
    if (!this.#options.onMessage && isExpensiveToParse(frame))
      return this.#readDigest(digestFrame(frame, this.#framing), now)
    const message = this.#framing.read(frame)
    return message && this.#interpret(message, tryParseJson(message.data), now)
  }

  #readDigest(data: unknown, now: number): ReadFrame | undefined {
    return this.#interpret({ data: '' }, data, now)
  }

  #interpret(message: Message, data: unknown, now: number): ReadFrame | undefined {
    const findings = this.#findings
    findings.hasMessages = true
    const reading = isObject(data) ? this.#format.readMessage(data as JsonObject, message.event) : {}
    const progress = isObject(data) ? this.#format.progressIn(data, message.event) : undefined
    if (progress) findings.follow(progress, reading, now)
    // Of a protocol that is not known nobody can tell what is content.
    else if (this.#format.isGuess && !findings.isRecognised) findings.contentAt = now
    const error = reading.error ?? errorOf(message, data)
    if (data === undefined && error === undefined) return undefined
    return { message, data, reading: error === undefined ? reading : { ...reading, error } }
  }
}

/** The error that a message says, in its framing's way or in its data. */
function errorOf({ event, data: text, isError }: Message, data: unknown): string | undefined {
  const said = anyErrorIn(data)
  if (said !== undefined) return said
  if (isError) return event ?? 'an error'
  // An event of that name is one, whatever its data.
  return event === 'error' ? sentenceOf(data ?? text.slice(0, MAX_ERROR_CHARS)) : undefined
}

const NONE: readonly Buffer[] = []
const EMPTY = Buffer.alloc(0)

function concatNonEmpty(pieces: readonly Buffer[]): Buffer | undefined {
  const whole = Buffer.concat(pieces)
  return whole.length > 0 ? whole : undefined
}
