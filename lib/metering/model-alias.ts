import type { CompleteFormat } from '../formats/index.js'
import type { Framing } from '../framing/index.js'
import { StringReplacer, type WantedStrings, wantedStrings } from '../json/replace-strings.js'

/** What has to be known of a format's fields to find them, compiled once. */
interface Fields {
  readonly wanted: WantedStrings
  /** The names of the fields, as JSON has them: what has none of them has no model. */
  readonly markers: readonly Buffer[]
}

/** A longer text that is there at once stays as it is: going through it would hold the event loop. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024

const fieldsOf = new WeakMap<CompleteFormat, Fields>()

/**
 * Writes the client's name of a model over the provider's, in what goes out to the client: the strings at the format's
 * `modelFields`. All other bytes stay as they are.
 */
export class ModelAlias {
  readonly #name: string
  readonly #fields: Fields

  constructor({ wanted, markers }: Fields, name: string) {
    this.#fields = { wanted, markers }
    this.#name = name
  }

  /** Returns whether bytes may name a model. Nearly all bytes that do not are found out by a native search. */
  mayBeIn(bytes: Buffer): boolean {
    return this.#fields.markers.some((marker) => bytes.includes(marker))
  }

  /** Creates what replaces the names in a JSON text as it passes. */
  createReplacer(onReplaced: () => void = () => {}): StringReplacer {
    return new StringReplacer(this.#fields.wanted, (value) => {
      // Some providers send an empty name before they know the model.
      if (value === '' || value === this.#name) return undefined
      onReplaced()
      return this.#name
    })
  }

  /** @returns the same buffer if nothing changes, or if it is longer than 4 MiB */
  inJson(text: Buffer): Buffer {
    if (text.length > MAX_TEXT_BYTES) return text
    let isChanged = false
    const replacer = this.createReplacer(() => {
      isChanged = true
    })
    const pieces = [...replacer.push(text), ...replacer.end()]
    return isChanged ? Buffer.concat(pieces) : text
  }

  /** @returns the same buffer if nothing changes, or if it is longer than 4 MiB */
  inFrame(frame: Buffer, framing: Framing): Buffer {
    if (frame.length > MAX_TEXT_BYTES || !this.mayBeIn(frame)) return frame
    if (framing.isBinary) return this.#rewritten(frame, framing)
    const start = framing.dataStart?.(frame) ?? 0
    let isChanged = false
    const replacer = this.createReplacer(() => {
      isChanged = true
    })
    const pieces = [frame.subarray(0, start), ...replacer.push(frame.subarray(start)), ...replacer.end()]
    // The data of an event may be on several lines.
    if (replacer.isInvalid) return this.#rewritten(frame, framing)
    return isChanged ? Buffer.concat(pieces) : frame
  }

  /** Replaces the names in a frame that is too large to be joined. Gemini names the model after a picture. */
  inPieces(pieces: readonly Buffer[], framing: Framing): readonly Buffer[] {
    const [first, ...others] = pieces
    if (framing.isBinary || !first) return pieces
    const start = framing.dataStart?.(first) ?? 0
    const replacer = this.createReplacer()
    return [
      first.subarray(0, start),
      ...[first.subarray(start), ...others].flatMap((piece) => replacer.push(piece)),
      ...replacer.end(),
    ].filter((piece) => piece.length > 0)
  }

  /** Writes a new frame, if the bytes cannot be replaced in the old one. */
  #rewritten(frame: Buffer, framing: Framing): Buffer {
    const message = framing.read(frame)
    if (!message) return frame
    const data = Buffer.from(message.data)
    const named = this.inJson(data)
    return named === data ? frame : framing.write({ ...message, data: named.toString() }, frame)
  }
}

/**
 * Returns what writes a name of a model into answers of a format.
 *
 * @param name `undefined` if the provider's name stays there
 */
export function modelAliasFor(format: CompleteFormat, name: string | undefined): ModelAlias | undefined {
  if (name === undefined || format.modelFields.length === 0) return undefined
  const known = fieldsOf.get(format)
  if (known) return new ModelAlias(known, name)
  const names = new Set(format.modelFields.flatMap((path) => path.at(-1) ?? []))
  const fields: Fields = {
    wanted: wantedStrings(format.modelFields),
    markers: [...names].map((field) => Buffer.from(JSON.stringify(field))),
  }
  fieldsOf.set(format, fields)
  return new ModelAlias(fields, name)
}
