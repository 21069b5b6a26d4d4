import type { Carriage } from './carriage.js'
import type { Downstream } from './downstream.js'
import type { ResponseLimits } from './response-limits.js'

/** Writes the frames of an answer to the client, meters them, and checks the answer's limits. */
export class FrameWriter {
  readonly #downstream: Downstream
  readonly #limits: ResponseLimits
  readonly #isStopped: () => boolean
  /** Number of events before those that are written now. */
  #events = 0

  /** @param isStopped returns whether a limit has ended the answer */
  constructor(downstream: Downstream, limits: ResponseLimits, isStopped: () => boolean) {
    this.#downstream = downstream
    this.#limits = limits
    this.#isStopped = isStopped
  }

  /** Writes what the framer returned last. */
  write(frames: Buffer, carriage: Carriage, now: number): void {
    const { ends, prefix, events } = carriage.framer
    const areEvents = events - this.#events === ends.length
    this.#events = events
    const isNearBound = ends.length > 1 && !prefix?.length && this.#limits.isNearBound(frames.length)
    if (isNearBound) this.#writeEach(frames, ends, carriage, now, areEvents)
    else this.#writeTogether(frames, ends, prefix, carriage, now, areEvents)
    if (!this.#isStopped()) this.#limits.check(carriage.framer)
  }

  /** Writes no event before the one ahead of it has been counted. */
  #writeEach(frames: Buffer, ends: readonly number[], carriage: Carriage, now: number, areEvents: boolean): void {
    let start = 0
    for (const end of ends) {
      this.#writeTogether(frames.subarray(start, end), [end - start], undefined, carriage, now, areEvents)
      if (end < frames.length && !this.#isStopped()) this.#limits.checkBounds()
      if (this.#isStopped()) return
      start = end
    }
  }

  #writeTogether(
    frames: Buffer,
    ends: readonly number[],
    prefix: readonly Buffer[] | undefined,
    { metering }: Carriage,
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
