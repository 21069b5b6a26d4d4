import type { Metering } from '../exchange/metering.js'
import { type Framer, type Framing, PassThroughFramer } from '../framing/index.js'

/** How a body is carried. */
export interface Carriage {
  readonly framer: Framer
  readonly metering: Metering | undefined
  /** How the client's stream is framed; `undefined` where it gets none, or while that is not known. */
  readonly framing: Framing | undefined
  /** The body is no stream, and becomes one event of the client's. */
  readonly isEnclosed: boolean
}

const NONE: readonly number[] = []
const NOTHING = Buffer.alloc(0)

/**
 * A body whose head does not say what it is: its first bytes are held until they tell, and from then on it is carried as
 * what they told.
 */
export class Unlabelled implements Framer, Metering, Carriage {
  readonly #tell: (start: Buffer, isAll: boolean) => Carriage | undefined
  #start: Buffer = NOTHING
  #told: Carriage | undefined
  /** What the metering lets pass of what the framer has ahead. */
  #passedAhead: readonly Buffer[] | undefined

  /** @param tell what the first bytes say; `undefined` if it takes more of them, which it must not if they are all */
  constructor(tell: (start: Buffer, isAll: boolean) => Carriage | undefined) {
    this.#tell = tell
  }

  get framer(): Framer {
    return this
  }

  get metering(): Metering {
    return this
  }

  get framing(): Framing | undefined {
    return this.#told?.framing
  }

  get isEnclosed(): boolean {
    return this.#told?.isEnclosed === true
  }

  get carriesMessages(): boolean {
    return this.#told?.framer.carriesMessages === true
  }

  get heartbeat(): Buffer | undefined {
    return this.#told?.framer.heartbeat
  }

  get events(): number {
    return this.#told?.framer.events ?? 0
  }

  get tooLarge(): boolean {
    return this.#told?.framer.tooLarge === true
  }

  get isClosed(): boolean {
    return this.#told?.framer.isClosed === true
  }

  get corrupt(): string | undefined {
    return this.#told?.framer.corrupt
  }

  get ends(): readonly number[] {
    return this.#told?.framer.ends ?? NONE
  }

  /** Of the framer, and where there is a metering, of that. */
  get prefix(): readonly Buffer[] | undefined {
    return this.#passedAhead ?? this.#told?.framer.prefix
  }

  get unfinished(): readonly Buffer[] | undefined {
    return this.#told?.framer.unfinished
  }

  follow(pieces: readonly Buffer[]): void {
    this.#told?.metering?.follow?.(pieces)
  }

  isWhole(pieces: readonly Buffer[]): boolean {
    return this.#told?.metering?.isWhole?.(pieces) === true
  }

  push(chunks: readonly Buffer[]): Buffer | undefined {
    this.#passedAhead = undefined
    return this.#told ? this.#told.framer.push(chunks) : this.#begun(chunks, false)?.push([this.#taken()])
  }

  last(): Buffer | undefined {
    return this.#told?.framer.last()
  }

  discardLast(): void {
    this.#told?.framer.discardLast()
  }

  end(): Buffer | undefined {
    this.#passedAhead = undefined
    if (this.#told) return this.#told.framer.end()
    const framer = this.#begun([], true)
    const start = this.#taken()
    if (!framer || start.length === 0) return framer?.end()
    const pushed = framer.push([start])
    if (pushed === undefined) return framer.end()
    // The end of what is no stream may have been held, as the beginning of a secret.
    const rest = framer instanceof PassThroughFramer && !framer.holdsNothing ? framer.end() : undefined
    return rest ? Buffer.concat([pushed, rest]) : pushed
  }

  pass(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined {
    const metering = this.#told?.metering
    if (!metering) return frames
    const seen = metering.pass(frames, ends, now, ahead)
    this.#passedAhead = metering.prefix
    return seen
  }

  readPassed(now: number): void {
    this.#told?.metering?.readPassed?.(now)
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#told?.metering?.failure
  }

  finish(now: number): void {
    this.#told?.metering?.finish(now)
  }

  #begun(chunks: readonly Buffer[], isAll: boolean): Framer | undefined {
    this.#start = Buffer.concat([this.#start, ...chunks])
    this.#told = this.#tell(this.#start, isAll)
    return this.#told?.framer
  }

  #taken(): Buffer {
    const start = this.#start
    this.#start = NOTHING
    return start
  }
}
