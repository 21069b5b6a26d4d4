import { type Framing, NoFramer } from '../framing/index.js'
import type { Metering } from '../metering/passage.js'
import type { Secrets } from '../secrets.js'

/** For a body that is no stream and may quote a secret: it passes as it comes, but for the secret, wherever it is cut. */
export class MaskingFramer extends NoFramer {
  readonly #secrets: Secrets
  #begun = Buffer.alloc(0)

  constructor(secrets: Secrets) {
    super()
    this.#secrets = secrets
  }

  override get holdsNothing(): boolean {
    return this.#begun.length === 0
  }

  override push(chunks: readonly Buffer[]): Buffer | undefined {
    const all = this.holdsNothing ? chunks : [this.#begun, ...chunks]
    const bytes = this.#secrets.hideIn(all.length === 1 ? all[0]! : Buffer.concat(all))
    const end = bytes.length - this.#secrets.begunIn(bytes)
    this.#begun = Buffer.from(bytes.subarray(end))
    return super.push([bytes.subarray(0, end)])
  }

  override end(): Buffer | undefined {
    const rest = this.#begun
    this.#begun = Buffer.alloc(0)
    return super.push([rest])
  }
}

/** Takes secrets out of a stream's frames before anything else sees them. */
export class MaskingMeter implements Metering {
  readonly #secrets: Secrets
  readonly #framing: Framing
  readonly #metering: Metering | undefined

  constructor(secrets: Secrets, framing: Framing, metering: Metering | undefined) {
    this.#secrets = secrets
    this.#framing = framing
    this.#metering = metering
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#metering?.failure
  }

  pass(frames: Buffer, ends: readonly number[], now: number): Buffer | undefined {
    const hidden = this.#secrets.hideIn(frames)
    const isBinary = hidden !== frames && this.#framing.name === 'aws-event-stream'
    const [seen, seenEnds] = isBinary ? this.#writtenAnew(frames, ends) : [hidden, ends]
    return this.#metering ? this.#metering.pass(seen, seenEnds, now) : seen
  }

  finish(now: number): void {
    this.#metering?.finish(now)
  }

  /** Frames with checksums cannot be changed in place. */
  #writtenAnew(frames: Buffer, ends: readonly number[]): [Buffer, number[]] {
    const written: Buffer[] = []
    const writtenEnds: number[] = []
    let start = 0
    let size = 0
    for (const end of ends) {
      const frame = frames.subarray(start, end)
      const message = this.#secrets.hideIn(frame) === frame ? undefined : this.#framing.read(frame)
      const data = message && this.#secrets.hide(message.data)
      const seen = message ? this.#framing.write({ ...message, data: data! }, frame) : frame
      written.push(seen)
      size += seen.length
      writtenEnds.push(size)
      start = end
    }
    return [Buffer.concat(written), writtenEnds]
  }
}
