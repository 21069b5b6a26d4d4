import { AiProxyError, isA } from '../api/errors.js'
import type { Metering } from '../exchange/metering.js'
import type { UsageAccumulator } from '../exchange/usage-accumulator.js'
import { type CompleteFormat, type ParsedMessage, saidErrorIn, type WholeItem } from '../formats/index.js'
import type { Framing, Message } from '../framing/index.js'
import { tryParseJsonBytes } from '../json/json.js'
import { UnwieldyJsonError } from '../json/parse-within-bounds.js'
import { type TokensOf, tokensByApp } from '../options/estimate-tokens.js'
import { sizeOf } from '../util/size-of.js'
import { RunningEstimate } from './estimate.js'
import { framesContaining } from './frames-containing.js'
import { LargeFrame } from './large-frame.js'
import { LastFrames } from './last-frames.js'
import type { ModelAlias } from './model-alias.js'
import { advanceBy, interpret, parseFrame, type ReadFrame } from './read-frame.js'

/**
 * Maximum number of frames per turn that are checked for content, the last ones first: a turn may have thousands of
 * pings.
 */
const MAX_SAMPLES_PER_TURN = 64

/** Larger frames are searched for usage only once, so that bursts cost no more. */
const MAX_BYTES_SEARCHED_TWICE = 4096

export interface StreamMeterOptions {
  /** Whether the time of the last content matters: if so, each turn's frames are searched for some. */
  readonly noticesContent?: boolean
  /** Number of bytes the client has been sent: a heartbeat of the proxy may precede the first frame. */
  readonly sent: { readonly bytes: number }
  /** Whether the request asks for the state of something that has errors of its own. */
  readonly isState?: boolean
  /** Whether the request asks for several choices, each of which must end: all frames are then read. */
  readonly hasSeveralChoices?: boolean
  /** Whether to drop the event that only reports usage, because we requested it and the client did not. */
  readonly hidesUsage: boolean
  /** Estimates the tokens of a text instead of our own estimate. */
  readonly estimateTokens: TokensOf | undefined
  /** Writes the client's name of the model into what goes out. What is read, and what hooks see, is the provider's. */
  readonly alias?: ModelAlias | undefined
  /** Called with each event. `undefined` passes the event unchanged, `null` drops it, and a message replaces it. */
  readonly onMessage: ((message: Message, data: unknown) => Message | null | undefined) | undefined
}

/**
 * Meters the frames of a stream as they pass, and changes them if asked to. Most frames are not parsed: frames that may
 * report usage are found by their bytes, and so is the text of the others, for the estimate.
 */
export class StreamMeter implements Metering {
  prefix: readonly Buffer[] = NONE
  failure: { readonly error: unknown } | undefined
  readonly #format: CompleteFormat
  readonly #framing: Framing
  readonly #accumulator: UsageAccumulator
  readonly #options: StreamMeterOptions
  readonly #usageMarker: Buffer
  readonly #readsAll: boolean
  /** Frames are neither changed nor dropped, so they are written before they are read. */
  readonly #defersReading: boolean
  #deferred: { readonly frames: Buffer; readonly ends: readonly number[] } | undefined
  readonly #estimate = new RunningEstimate()
  readonly #lastFrames = new LastFrames()
  /** A frame has gone out; and before the first one, frames were dropped. */
  #hasOutput = false
  #droppedFirst = false
  #isPastFirst = false
  #large: LargeFrame | undefined
  /** The last item that a message repeated whole, and the estimate at that point. */
  #lastWhole: { readonly id: string | undefined; readonly tokens: number } = { id: undefined, tokens: 0 }

  constructor(format: CompleteFormat, framing: Framing, accumulator: UsageAccumulator, options: StreamMeterOptions) {
    this.#format = format
    this.#framing = framing
    this.#accumulator = accumulator
    this.#options = options
    this.#usageMarker = Buffer.from(format.usageMarker)
    this.#defersReading = !options.hidesUsage && !options.onMessage
    const isAsked = options.hasSeveralChoices === true || Boolean(options.estimateTokens ?? options.onMessage)
    this.#readsAll = this.#usageMarker.length === 0 || isAsked
  }

  pass(frames: Buffer, ends: readonly number[], now: number, ahead: readonly Buffer[] = NONE): Buffer | undefined {
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
    this.readDeferred(now)
    const isLarge = ahead.length > 0
    if (isLarge) this.#passLarge(frames.subarray(0, ends[0]), now, ahead)
    this.#large = undefined
    const { alias } = this.#options
    if (isLarge && alias) return this.#passRest(frames, ends, now, alias)
    const isReadLater = !isLarge && (this.#defersReading || this.#hidesNothingOf(frames))
    if (isReadLater) this.#deferred = { frames, ends }
    const seen = isReadLater
      ? this.#withAlias(frames, ends)
      : this.#transformAll(frames, ends, now, isLarge ? 1 : 0, alias)
    if (this.#isPastFirst || !seen) return seen
    this.#isPastFirst = true
    return this.prefix.length === 0 ? this.#asContinuation(seen) : seen
  }

  /** Whether frames that hide usage can be written before they are read, as the first event of a stream usually can. */
  #hidesNothingOf(frames: Buffer): boolean {
    return frames.length <= MAX_BYTES_SEARCHED_TWICE && !this.#readsAll && !frames.includes(this.#usageMarker)
  }

  readDeferred(now: number): void {
    const unread = this.#deferred
    if (!unread) return
    this.#deferred = undefined
    this.#transformAll(unread.frames, unread.ends, now, 0)
  }

  scanUnfinished(pieces: readonly Buffer[]): void {
    if (this.#options.onMessage) return
    this.#advanceLarge(pieces, false)
  }

  isCompleteMessage(pieces: readonly Buffer[]): boolean {
    return this.#advanceLarge(pieces, true).data !== undefined
  }

  #advanceLarge(pieces: readonly Buffer[], isAll: boolean): LargeFrame {
    this.#large ??= new LargeFrame(this.#framing)
    this.#large.advance(pieces, isAll)
    return this.#large
  }

  #passLarge(end: Buffer, now: number, [first, ...others]: readonly Buffer[]): void {
    const beginning = this.#isPastFirst ? first! : this.#asContinuation(first!)
    const pieces = [this.#asFirst(beginning), ...others]
    this.prefix = this.#options.alias?.inPieces([...pieces, end], this.#framing) ?? pieces
    const { data } = this.#advanceLarge([first!, ...others, end], true)
    const read = this.#readDigest(data, now)
    if (read) this.#count(read.reading, now)
  }

  /** Passes the frames after a large one, of which the last piece has gone out with the others. */
  #passRest(frames: Buffer, ends: readonly number[], now: number, alias: ModelAlias): Buffer | undefined {
    this.#isPastFirst = true
    const [start = 0, ...others] = ends
    const rest = others.map((end) => end - start)
    return rest.length === 0 ? undefined : this.#transformAll(frames.subarray(start), rest, now, 0, alias)
  }

  #asContinuation(frames: Buffer): Buffer {
    return this.#options.sent.bytes > 0 ? (this.#framing.asContinuation?.(frames) ?? frames) : frames
  }

  /** Writes the client's name of the model into frames that are read later. */
  #withAlias(frames: Buffer, ends: readonly number[]): Buffer {
    const { alias } = this.#options
    if (!alias?.mayBeIn(frames)) return frames
    let start = 0
    const named = ends.map((end) => {
      const frame = frames.subarray(start, end)
      start = end
      return alias.inFrame(frame, this.#framing)
    })
    return named.length === 1 ? named[0]! : Buffer.concat(named)
  }

  /**
   * @param first index of the first frame to read
   * @param alias is written into the frames; `undefined` if they have gone out already
   */
  #transformAll(
    frames: Buffer,
    ends: readonly number[],
    now: number,
    first: number,
    alias?: ModelAlias,
  ): Buffer | undefined {
    const framesWithMarker = this.#readsAll ? undefined : framesContaining(frames, ends, this.#usageMarker)
    let nextWithMarker = framesWithMarker !== undefined && first > 0 && framesWithMarker[0] === 0 ? 1 : 0
    let pieces: Buffer[] | undefined
    let kept = 0
    let start = first === 0 ? 0 : ends[0]!
    let unread = -1
    for (let at = first; at < ends.length; at++) {
      const end = ends[at]!
      const hasMarker = framesWithMarker !== undefined && framesWithMarker[nextWithMarker] === at
      if (hasMarker) nextWithMarker++
      // The end of each of several choices is in frames without the marker.
      const isRead = hasMarker || this.#readsAll || this.#accumulator.hasSeveralChoices
      const isParsed = isRead || !this.#estimate.count(frames, start, end)
      if (!isParsed && this.#estimate.hasFoundText) unread = at
      if (isParsed || alias) {
        const frame = frames.subarray(start, end)
        const transformed = isParsed ? this.#asFirst(this.#tryTransform(frame, now)) : frame
        if (this.failure) return concatNonEmpty([...(pieces ?? []), frames.subarray(kept, start)])
        const seen = alias?.inFrame(transformed, this.#framing) ?? transformed
        if (seen !== frame) {
          pieces ??= []
          pieces.push(frames.subarray(kept, start), seen)
          kept = end
        }
      }
      start = end
    }
    this.#accumulator.estimatedTokens = this.#estimate.tokens
    if (!this.#readsAll || !this.#accumulator.hasMessages) this.#lastFrames.keep(frames, ends, first, unread)
    if (this.#options.noticesContent && this.#accumulator.contentAt !== now)
      this.#noticeContent(frames, ends, now, first)
    if (!pieces) return frames
    return concatNonEmpty([...pieces, frames.subarray(kept)])
  }

  /** Reads the last frames, because a finish reason or an error may be in a frame without the marker. */
  finish(now: number): void {
    this.readDeferred(now)
    const frames = this.#lastFrames.frames()
    this.#accumulator.rewind()
    for (const frame of frames) {
      this.#accumulator.addAtEnd(this.#read(frame, now)?.reading ?? {}, now)
    }
    if (this.#accumulator.hasMessages) this.#accumulator.error ??= this.#strayErrorIn(frames)
    else if (frames.length > 0) this.#accumulator.keepStray(frames)
  }

  /** Finds an error in JSON that stands between events, where readers of events skip it. */
  #strayErrorIn(frames: readonly Buffer[]): string | undefined {
    const strays = frames.filter((frame) => frame[0] === OPEN_BRACE && !this.#framing.read(frame))
    return strays
      .map((frame) => saidErrorIn(tryParseJsonBytes(frame), this.#format, this.#options.isState))
      .find((error) => error !== undefined)
  }

  /** Finds the last frame of a turn that has content, which is usually the turn's last frame. */
  #noticeContent(frames: Buffer, ends: readonly number[], now: number, first: number): void {
    for (let at = ends.length - 1, samples = 0; at >= first && samples < MAX_SAMPLES_PER_TURN; at--, samples++) {
      this.#read(frames.subarray(ends[at - 1] ?? 0, ends[at]), now)
      if (this.#accumulator.contentAt === now) return
    }
  }

  /** Transforms a frame. If the app's hook throws, the stream ends after the frames before it. */
  #tryTransform(frame: Buffer, now: number): Buffer {
    try {
      return this.#transform(frame, now)
    } catch (error) {
      // What a hook cannot see must not go out.
      this.failure = { error: isA(UnwieldyJsonError, error) ? unreadable() : error }
      return EMPTY
    }
  }

  /** @returns what the client gets: the frame itself, its replacement, or no bytes */
  #transform(frame: Buffer, now: number): Buffer {
    const read = this.#read(frame, now)
    if (!read) return frame
    if (read.isUnwieldy && this.#options.onMessage) throw new UnwieldyJsonError()
    const { message, data, reading } = read
    const { hidesUsage, onMessage } = this.#options
    this.#count(reading, now)
    if (reading.text && !this.#readsAll) this.#estimate.learn(frame, reading.text)
    // The client must see an error, even in an event that would be dropped.
    if (hidesUsage && reading.isUsageOnly && reading.error === undefined) return EMPTY
    const replaced = data === undefined ? undefined : onMessage?.(message, data)
    if (replaced === undefined) return frame
    return replaced === null ? EMPTY : this.#framing.write(replaced, frame)
  }

  #count(reading: ParsedMessage, now: number): void {
    const text = reading.text ?? this.#unseenText(reading.whole)
    this.#estimate.add(text, tokensByApp(this.#options.estimateTokens, text, reading.model ?? this.#accumulator.model))
    if (reading.whole) this.#lastWhole = { id: reading.whole.id, tokens: this.#estimate.tokens }
    this.#accumulator.estimatedTokens = this.#estimate.tokens
    this.#accumulator.add(reading, now)
  }

  /** Returns the text of an item that is sent whole, unless pieces of it have passed or it has been sent before. */
  #unseenText(whole: WholeItem | undefined): string | undefined {
    const { id, tokens } = this.#lastWhole
    return whole === undefined || whole.id === id || this.#estimate.tokens > tokens ? undefined : whole.text
  }

  /** Adapts the first frame that the client sees, if the frames before it were dropped. */
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
    const parsed = parseFrame(frame, this.#framing, this.#options.onMessage === undefined)
    return parsed && this.#interpret(parsed.message, parsed.data, now)
  }

  #readDigest(data: unknown, now: number): ReadFrame | undefined {
    return this.#interpret({ data: '' }, data, now)
  }

  #interpret(message: Message, data: unknown, now: number): ReadFrame | undefined {
    const read = interpret(message, data, this.#format, this.#options.isState)
    advanceBy(read, this.#format, this.#accumulator, now)
    return data === undefined && read.reading.error === undefined ? undefined : read
  }
}

const NONE: readonly Buffer[] = []
const EMPTY = Buffer.alloc(0)
const OPEN_BRACE = 0x7b

function unreadable(): AiProxyError {
  return new AiProxyError('upstream_error', 'The provider sent an event that cannot be read')
}

function concatNonEmpty(pieces: readonly Buffer[]): Buffer | undefined {
  const whole = Buffer.concat(pieces)
  return whole.length > 0 ? whole : undefined
}
