import { type Framing, NoFramer, sizeOf } from '../framing/index.js'
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
  #pieces: MaskedPieces
  #ahead: readonly Buffer[] | undefined

  constructor(secrets: Secrets, framing: Framing, metering: Metering | undefined) {
    this.#secrets = secrets
    this.#framing = framing
    this.#metering = metering
    this.#pieces = new MaskedPieces(secrets)
  }

  get ahead(): readonly Buffer[] | undefined {
    return this.#metering ? this.#metering.ahead : this.#ahead
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#metering?.failure
  }

  pass(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined {
    this.#ahead = undefined
    if (ahead?.length) return this.#passLarge(frames, ends, now, ahead)
    const hidden = this.#secrets.hideIn(frames)
    const isBinary = hidden !== frames && this.#framing.name === 'aws-event-stream'
    const [seen, seenEnds] = isBinary ? this.#writtenAnew(frames, ends) : [hidden, ends]
    return this.#handedOn(seen, seenEnds, now)
  }

  follow(pieces: readonly Buffer[]): void {
    const seen = this.#pieces.allBut(1, pieces)
    this.#metering?.follow?.([...seen, this.#secrets.hideIn(pieces.at(-1)!)])
  }

  isWhole(pieces: readonly Buffer[]): boolean {
    return this.#metering?.isWhole?.(pieces) === true
  }

  #passLarge(frames: Buffer, ends: readonly number[], now: number, ahead: readonly Buffer[]): Buffer | undefined {
    const pieces = [...ahead, frames]
    const seen = this.#pieces.allBut(0, pieces)
    this.#pieces = new MaskedPieces(this.#secrets)
    const isBinary = this.#framing.name === 'aws-event-stream' && seen.some((piece, index) => piece !== pieces[index])
    if (!isBinary) return this.#handedOn(seen.at(-1)!, ends, now, seen.slice(0, -1))
    const size = sizeOf(ahead)
    const [written, writtenEnds] = this.#writtenAnew(
      Buffer.concat(pieces),
      ends.map((end) => end + size),
    )
    return this.#handedOn(written, writtenEnds, now)
  }

  #handedOn(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined {
    this.#ahead = ahead
    return this.#metering ? this.#metering.pass(frames, ends, now, ahead) : frames
  }

  readPassed(now: number): void {
    this.#metering?.readPassed?.(now)
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

/** On either side of where two pieces meet, a secret may stand that is in neither. */
const SECRET_BYTES = 4096

/** The pieces of a large frame, as they come, without secrets. */
class MaskedPieces {
  readonly #secrets: Secrets
  readonly #masked: Buffer[] = []

  constructor(secrets: Secrets) {
    this.#secrets = secrets
  }

  /** @param last so many of the last pieces are left out: they may still grow */
  allBut(last: number, pieces: readonly Buffer[]): readonly Buffer[] {
    const masked = this.#masked
    while (masked.length < pieces.length - last) {
      masked.push(this.#secrets.hideIn(pieces[masked.length]!))
      if (masked.length > 1) this.#maskBetween(masked.length - 2, masked.length - 1)
    }
    return masked
  }

  #maskBetween(first: number, second: number): void {
    const end = this.#masked[first]!
    const start = this.#masked[second]!
    const [before, behind] = [end.subarray(-SECRET_BYTES), start.subarray(0, SECRET_BYTES)]
    const both = Buffer.concat([before, behind])
    const hidden = this.#secrets.hideIn(both)
    if (hidden === both) return
    this.#masked[first] = Buffer.concat([end.subarray(0, -before.length), hidden.subarray(0, before.length)])
    this.#masked[second] = Buffer.concat([hidden.subarray(before.length), start.subarray(behind.length)])
  }
}
