import type { Framer } from './framer.js'

/** For bodies that are no event stream (JSON answers, audio, files): every chunk passes as it is. */
export class NoFramer implements Framer {
  readonly carriesMessages = false
  readonly events = 0
  readonly tooLarge = false

  push(chunk: Buffer): Buffer | undefined {
    return chunk.length > 0 ? chunk : undefined
  }

  last(): undefined {
    return undefined
  }

  refuse(): void {}

  end(): undefined {
    return undefined
  }
}
