import type { Framer } from './framer.js'

/** For bodies that are not an event stream (JSON answers, audio, files): passes every chunk as it is. */
export class PassThroughFramer implements Framer {
  readonly carriesMessages = false
  readonly heartbeat = undefined
  readonly events = 0
  readonly tooLarge: boolean = false
  ends: readonly number[] = []
  /** All that came has gone on. */
  get holdsNothing(): boolean {
    return true
  }

  push(chunks: readonly Buffer[]): Buffer | undefined {
    const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    this.ends = whole.length > 0 ? [whole.length] : []
    return whole.length > 0 ? whole : undefined
  }

  last(): undefined {
    return undefined
  }

  discardLast(): void {}

  end(): Buffer | undefined {
    this.ends = []
    return undefined
  }
}
