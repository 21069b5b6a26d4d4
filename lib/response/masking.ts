import type { Metering } from '../exchange/metering.js'
import { type Framing, PassThroughFramer, sizeOf } from '../framing/index.js'
import type { Secrets } from '../util/secrets.js'

/** For a body that is no stream and may quote a secret: it passes as it comes, but for the secret, wherever it is cut. */
export class MaskingFramer extends PassThroughFramer {
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
    const bytes = this.#secrets.maskBytes(all.length === 1 ? all[0]! : Buffer.concat(all))
    const end = bytes.length - this.#secrets.partialMatchLength(bytes)
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

  get prefix(): readonly Buffer[] | undefined {
    return this.#metering ? this.#metering.prefix : this.#ahead
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#metering?.failure
  }

  pass(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined {
    this.#ahead = undefined
    if (ahead?.length) return this.#passLarge(frames, ends, now, ahead)
    const hidden = this.#secrets.maskBytes(frames)
    const isBinary = hidden !== frames && this.#framing.isBinary === true
    const [seen, seenEnds] = isBinary ? this.#writtenAnew(frames, ends) : [hidden, ends]
    return this.#handedOn(seen, seenEnds, now)
  }

  follow(pieces: readonly Buffer[]): void {
    const seen = this.#pieces.allBut(1, pieces)
    this.#metering?.follow?.([...seen, this.#secrets.maskBytes(pieces.at(-1)!)])
  }

  isWhole(pieces: readonly Buffer[]): boolean {
    return this.#metering?.isWhole?.(pieces) === true
  }

  #passLarge(frames: Buffer, ends: readonly number[], now: number, ahead: readonly Buffer[]): Buffer | undefined {
    const pieces = [...ahead, frames]
    const seen = this.#pieces.allBut(0, pieces)
    this.#pieces = new MaskedPieces(this.#secrets)
    const isBinary = this.#framing.isBinary === true && seen.some((piece, index) => piece !== pieces[index])
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
      const message = this.#secrets.maskBytes(frame) === frame ? undefined : this.#framing.read(frame)
      const data = message && this.#secrets.mask(message.data)
      const seen = message ? this.#framing.write({ ...message, data: data! }, frame) : frame
      written.push(seen)
      size += seen.length
      writtenEnds.push(size)
      start = end
    }
    return [Buffer.concat(written), writtenEnds]
  }
}

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
      masked.push(this.#secrets.maskBytes(pieces[masked.length]!))
      this.#maskInto(masked.length - 1, pieces)
    }
    return masked
  }

  /** Masks the secrets that began in the pieces before this one, however many, and go on in it. */
  #maskInto(index: number, pieces: readonly Buffer[]): void {
    const reach = this.#secrets.longest - 1
    let first = index
    let before = 0
    while (first > 0 && before < reach) before += pieces[--first]!.length
    if (before === 0) return
    const skipped = Math.max(0, before - reach)
    const begun = [pieces[first]!.subarray(skipped), ...pieces.slice(first + 1, index)]
    const around = Buffer.concat([...begun, pieces[index]!.subarray(0, reach)])
    const hidden = this.#secrets.maskBytes(around)
    if (hidden === around) return
    let at = -skipped
    for (let each = first; each <= index; each++) {
      this.#masked[each] = maskedLike(this.#masked[each]!, around, hidden, at)
      at += pieces[each]!.length
    }
  }
}

/** The piece, masked where `hidden` differs from what it was made of; its first byte stands there at `at`. */
function maskedLike(piece: Buffer, original: Buffer, hidden: Buffer, at: number): Buffer {
  const masked = Buffer.from(piece)
  const end = Math.min(piece.length, hidden.length - at)
  for (let index = Math.max(0, -at); index < end; index++) {
    const byte = hidden[at + index]!
    if (byte !== original[at + index]) masked[index] = byte
  }
  return masked
}
