import type { Metering } from '../exchange/metering.js'
import { type Framing, PassThroughFramer } from '../framing/index.js'
import type { Secrets } from '../util/secrets.js'
import { sizeOf } from '../util/size-of.js'

/**
 * Masks secrets in a body that is not a stream, even if they are split across chunks. Everything else passes as it
 * arrives.
 */
export class MaskingFramer extends PassThroughFramer {
  readonly #secrets: Secrets
  #partial = Buffer.alloc(0)

  constructor(secrets: Secrets) {
    super()
    this.#secrets = secrets
  }

  override get holdsNothing(): boolean {
    return this.#partial.length === 0
  }

  override push(chunks: readonly Buffer[]): Buffer | undefined {
    const all = this.holdsNothing ? chunks : [this.#partial, ...chunks]
    const bytes = this.#secrets.maskBytes(all.length === 1 ? all[0]! : Buffer.concat(all))
    const end = bytes.length - this.#secrets.partialMatchLength(bytes)
    this.#partial = Buffer.from(bytes.subarray(end))
    return super.push([bytes.subarray(0, end)])
  }

  override end(): Buffer | undefined {
    const rest = this.#partial
    this.#partial = Buffer.alloc(0)
    return super.push([rest])
  }
}

/** Masks secrets in a stream's frames before anything else sees them. */
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
    const masked = this.#secrets.maskBytes(frames)
    const isBinary = masked !== frames && this.#framing.isBinary === true
    const [seen, seenEnds] = isBinary ? this.#rewriteFrames(frames, ends) : [masked, ends]
    return this.#forward(seen, seenEnds, now)
  }

  scanUnfinished(pieces: readonly Buffer[]): void {
    const seen = this.#pieces.maskAllBut(1, pieces)
    this.#metering?.scanUnfinished?.([...seen, this.#secrets.maskBytes(pieces.at(-1)!)])
  }

  isCompleteMessage(pieces: readonly Buffer[]): boolean {
    return this.#metering?.isCompleteMessage?.(pieces) === true
  }

  #passLarge(frames: Buffer, ends: readonly number[], now: number, ahead: readonly Buffer[]): Buffer | undefined {
    const pieces = [...ahead, frames]
    const seen = this.#pieces.maskAllBut(0, pieces)
    this.#pieces = new MaskedPieces(this.#secrets)
    const isBinary = this.#framing.isBinary === true && seen.some((piece, index) => piece !== pieces[index])
    if (!isBinary) return this.#forward(seen.at(-1)!, ends, now, seen.slice(0, -1))
    const size = sizeOf(ahead)
    const [written, writtenEnds] = this.#rewriteFrames(
      Buffer.concat(pieces),
      ends.map((end) => end + size),
    )
    return this.#forward(written, writtenEnds, now)
  }

  #forward(frames: Buffer, ends: readonly number[], now: number, ahead?: readonly Buffer[]): Buffer | undefined {
    this.#ahead = ahead
    return this.#metering ? this.#metering.pass(frames, ends, now, ahead) : frames
  }

  readDeferred(now: number): void {
    this.#metering?.readDeferred?.(now)
  }

  finish(now: number): void {
    this.#metering?.finish(now)
  }

  /** Rewrites frames with checksums, which cannot be changed in place. */
  #rewriteFrames(frames: Buffer, ends: readonly number[]): [Buffer, number[]] {
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

/** The pieces of a large frame, masked as they arrive. */
class MaskedPieces {
  readonly #secrets: Secrets
  /** The pieces that were masked. */
  #sources: Buffer[] = []
  #masked: Buffer[] = []

  constructor(secrets: Secrets) {
    this.#secrets = secrets
  }

  /** @param last number of pieces at the end to leave out: they may still grow */
  maskAllBut(last: number, pieces: readonly Buffer[]): readonly Buffer[] {
    this.#forgetOthers(pieces)
    const masked = this.#masked
    while (masked.length < pieces.length - last) {
      const piece = pieces[masked.length]!
      this.#sources.push(piece)
      masked.push(this.#secrets.maskBytes(piece))
      this.#maskInto(masked.length - 1, pieces)
    }
    return masked
  }

  /** Another frame has begun, or pieces have been joined: either replaces all of them. */
  #forgetOthers(pieces: readonly Buffer[]): void {
    const sources = this.#sources
    const last = sources.length - 1
    if (sources[0] === pieces[0] && sources[last] === pieces[last]) return
    this.#sources = []
    this.#masked = []
  }

  /** Masks secrets that begin in earlier pieces, however many, and continue in this one. */
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
      this.#masked[each] = applyMask(this.#masked[each]!, around, hidden, at)
      at += pieces[each]!.length
    }
  }
}

/** Returns the piece, masked wherever `masked` differs from `original`; its first byte is at index `at` of both. */
function applyMask(piece: Buffer, original: Buffer, hidden: Buffer, at: number): Buffer {
  const masked = Buffer.from(piece)
  const end = Math.min(piece.length, hidden.length - at)
  for (let index = Math.max(0, -at); index < end; index++) {
    const byte = hidden[at + index]!
    if (byte !== original[at + index]) masked[index] = byte
  }
  return masked
}
