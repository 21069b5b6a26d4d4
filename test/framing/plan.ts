import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Framer, Framing } from '../../lib/framing/index.js'
import { cutAt, piecesOf } from '../support/bytes.js'

/** A body, and what a framer is to make of it. */
export interface Plan {
  readonly body: Buffer
  readonly frames: readonly PlannedFrame[]
}

interface PlannedFrame {
  /** Where it ends in the body; it begins where the one before it ends. */
  readonly end: number
  readonly isEvent: boolean
  /** How much of the body must have come for it to go out. */
  readonly seenAt: number
}

/** Puts a plan together, frame by frame. */
export class Planner {
  readonly #pieces: Buffer[] = []
  readonly #frames: PlannedFrame[] = []
  #end = 0

  /** @param needsNext its end is seen by the byte behind it */
  add(frame: Buffer | string, isEvent: boolean, needsNext = false): this {
    const bytes = Buffer.from(frame as string)
    if (bytes.length === 0) return this
    this.#pieces.push(bytes)
    this.#end += bytes.length
    this.#frames.push({ end: this.#end, isEvent, seenAt: this.#end + (needsNext ? 1 : 0) })
    return this
  }

  /** @param rest what stands behind the last whole frame */
  plan(rest: Buffer | string = ''): Plan {
    const body = Buffer.concat([...this.#pieces, Buffer.from(rest as string)])
    return { body, frames: this.#frames.filter(({ seenAt }) => seenAt <= body.length) }
  }
}

/** What came out of a framer. */
interface Outcome {
  readonly out: Buffer
  readonly frames: readonly Buffer[]
  readonly events: number
  readonly tooLarge: boolean
  readonly corrupt: string | undefined
}

/** Pushes all, checks on the way what holds true for every framer, and tells what came out, without the end. */
export function outcomeOf(framer: Framer, pushes: readonly (readonly Buffer[])[]): Outcome {
  const frames = pushes.flatMap((chunks) => framesOf(framer, framer.push(chunks)))
  const { events, tooLarge, corrupt } = framer
  return { out: Buffer.concat(frames), frames, events, tooLarge, corrupt }
}

/** What `push` or `end` returned, cut at `ends`, which cover all of it. */
export function framesOf(framer: Framer, out: Buffer | undefined): Buffer[] {
  const { ends } = framer
  assert.equal(ends.at(-1) ?? 0, out?.length ?? 0, 'the frames are all that goes out')
  assert.ok(
    ends.every((end, at) => end > (ends[at - 1] ?? 0)),
    `the ends rise: ${ends}`,
  )
  const frames = ends.map((end, at) => out!.subarray(ends[at - 1] ?? 0, end))
  const last = framer.last()
  if (last) assert.ok(frames.some((frame) => frame.equals(last)))
  return frames
}

/** What the frames carry. */
export function messagesOf(framing: Framing, frames: readonly Buffer[]): unknown[] {
  return frames.map((frame) => framing.read(frame)).filter((message) => message !== undefined)
}

/** Whole frames, sent as soon as they are there, byte for byte. */
export function assertFollows(framer: Framer, { body, frames }: Plan, cuts: Cuts): void {
  let taken = 0
  let sent = 0
  for (const chunk of cut(body, cuts)) {
    const out = framer.push([chunk]) ?? Buffer.alloc(0)
    framesOf(framer, out)
    taken += chunk.length
    const due = frames.filter(({ seenAt }) => seenAt <= taken)
    const boundary = due.at(-1)?.end ?? 0
    assert.equal(out.toString('latin1'), body.toString('latin1', sent, boundary))
    const events = due.filter(({ isEvent }) => isEvent)
    assert.equal(framer.events, events.length)
    const last = events.filter(({ end }) => end > sent).at(-1)
    const start = last && (frames[frames.indexOf(last) - 1]?.end ?? 0)
    assert.equal(framer.last()?.toString('latin1'), last && body.toString('latin1', start, last.end))
    for (const { end } of events) {
      if (end > sent) assert.ok(framer.ends.includes(end - sent), `an event ends at ${end}`)
    }
    sent = boundary
  }
}

type Cuts = readonly number[] | 'everywhere'

export const anyCuts: fc.Arbitrary<Cuts> = fc.oneof(
  fc.array(fc.nat(400), { maxLength: 40 }),
  fc.constant('everywhere' as const),
)

export function cut(body: Buffer, cuts: Cuts): Buffer[] {
  return cuts === 'everywhere' ? piecesOf(body, 1) : cutAt(body, cuts)
}

/** Puts chunks into groups of at most `sizes` chunks, in turn. */
export function grouped(chunks: readonly Buffer[], sizes: readonly number[]): Buffer[][] {
  const groups: Buffer[][] = []
  for (let at = 0, turn = 0; at < chunks.length; turn++) {
    const size = sizes[turn % sizes.length]!
    groups.push(chunks.slice(at, at + size))
    at += size
  }
  return groups
}
