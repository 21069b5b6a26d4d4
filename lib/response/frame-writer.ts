import { takeBack } from '../util/chunk-memory.js'
import { sizeOf } from '../util/size-of.js'
import type { BodyPlan } from './body-plan.js'
import type { Downstream } from './downstream.js'
import type { ResponseLimits } from './response-limits.js'

/** Frames of which some must not be written yet. */
interface Rest {
  readonly frames: Buffer
  /** Where the first of them begins. */
  readonly start: number
  readonly ends: readonly number[]
  readonly areEvents: boolean
}

/** The answer that the frames are of. */
interface WrittenAnswer {
  /** A limit has ended it. */
  readonly isStopped: boolean
}

/** Writes the frames of an answer to the client, meters them, and checks the answer's limits. */
export class FrameWriter {
  readonly #downstream: Downstream
  readonly #limits: ResponseLimits
  readonly #answer: WrittenAnswer
  /** Number of events before those that are written now. */
  #events = 0
  #rest: Rest | undefined
  /** Frames that were written last, and the system had not taken by then. */
  #untaken: { readonly frames: Buffer; readonly copiedBytes: number } | undefined

  constructor(downstream: Downstream, limits: ResponseLimits, answer: WrittenAnswer) {
    this.#downstream = downstream
    this.#limits = limits
    this.#answer = answer
  }

  /** A policy has to answer before the rest is written. */
  get hasRest(): boolean {
    return this.#rest !== undefined
  }

  /** Writes what the framer returned last. */
  write(frames: Buffer, bodyPlan: BodyPlan, now: number): void {
    this.#reuseMemory()
    const { ends, prefix, events, copiedBytes } = bodyPlan.framer
    const areEvents = events - this.#events === ends.length
    this.#events = events
    const isNearBound = ends.length > 1 && this.#limits.isNearBound(frames.length + (prefix ? sizeOf(prefix) : 0))
    if (isNearBound) this.#writeEach({ frames, start: 0, ends, areEvents }, bodyPlan, now, prefix)
    else this.#writeTogether(frames, ends, prefix, bodyPlan, now, areEvents)
    this.#check(bodyPlan)
    if (copiedBytes === undefined || this.#rest) return
    this.#untaken = { frames, copiedBytes }
    this.#reuseMemory()
  }

  /** Takes back the memory of what was written last, if the system has it by now. */
  #reuseMemory(): void {
    if (!this.#untaken || !this.#downstream.hasSentAll) return
    const { frames, copiedBytes } = this.#untaken
    this.#untaken = undefined
    takeBack(frames, copiedBytes)
  }

  /** Writes the rest, unless a policy has to answer again before that. */
  writeRest(bodyPlan: BodyPlan, now: number): void {
    const rest = this.#rest
    if (!rest) return
    this.#rest = undefined
    this.#writeEach(rest, bodyPlan, now)
    this.#check(bodyPlan)
  }

  #check({ framer }: BodyPlan): void {
    if (!this.#answer.isStopped && !this.#rest) this.#limits.check(framer)
  }

  /**
   * Writes no event before the one ahead of it has been counted.
   *
   * @param prefix the beginning of the first, if that is too large to be joined
   */
  #writeEach(
    { frames, start: first, ends, areEvents }: Rest,
    bodyPlan: BodyPlan,
    now: number,
    prefix?: readonly Buffer[],
  ): void {
    let start = first
    for (const [at, end] of ends.entries()) {
      const ahead = at === 0 ? prefix : undefined
      this.#writeTogether(frames.subarray(start, end), [end - start], ahead, bodyPlan, now, areEvents)
      const isLast = end >= frames.length
      if (!isLast && !this.#answer.isStopped) this.#limits.checkBounds()
      if (this.#answer.isStopped) return
      start = end
      if (!isLast && this.#limits.isHeld) {
        this.#rest = { frames, start, ends: ends.slice(at + 1), areEvents }
        return
      }
    }
  }

  #writeTogether(
    frames: Buffer,
    ends: readonly number[],
    prefix: readonly Buffer[] | undefined,
    { metering }: BodyPlan,
    now: number,
    areEvents: boolean,
  ): void {
    const seen = metering ? metering.pass(frames, ends, now, prefix) : frames
    const ahead = metering ? metering.prefix : prefix
    if (ahead?.length) this.#downstream.writePieces(seen ? [...ahead, seen] : ahead, now)
    else if (seen) this.#downstream.writeFrames(seen, areEvents && seen === frames ? ends : undefined, now)
    metering?.readDeferred?.(now)
    if (metering?.failure) throw metering.failure.error
  }
}
