import type { Framing } from '../framing/index.js'

/** Events, and where each of them ends. */
export interface Events {
  readonly bytes: Buffer
  readonly ends: readonly number[]
}

/** Finds the events among whole frames; comments and blank lines are left out. */
export function eventsIn(frames: Buffer, framing: Framing): Events {
  const framer = framing.createFramer(Number.POSITIVE_INFINITY)
  const events: Buffer[] = []
  const take = (bytes: Buffer | undefined) => {
    let start = 0
    for (const end of bytes ? framer.ends : []) {
      const frame = bytes!.subarray(start, end)
      if (framing.read(frame) !== undefined) events.push(frame)
      start = end
    }
  }
  take(framer.push([frames]))
  take(framer.end())
  return joined(events)
}

/** Joins events. */
export function joined(events: readonly Buffer[]): Events {
  let at = 0
  const ends = events.map(({ length }) => {
    at += length
    return at
  })
  return { bytes: events.length === 1 ? events[0]! : Buffer.concat(events), ends }
}

/** Splits events. */
export function split({ bytes, ends }: Events): Buffer[] {
  return ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end))
}
