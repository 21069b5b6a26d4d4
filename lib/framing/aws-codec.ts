import { debug } from '../util/debug.js'

/** The part of `@smithy/eventstream-codec` that we use. It is an optional peer, so its own types may be missing. */
export interface EventStreamCodec {
  encode(message: EventStreamMessage): Uint8Array
  /** @throws Error if a checksum is wrong, or the bytes are not a message */
  decode(message: Uint8Array): EventStreamMessage
}

export interface EventStreamMessage {
  headers: Record<string, { type: string; value: unknown }>
  body: Uint8Array
}

interface CodecModule {
  EventStreamCodec: new (
    toUtf8: (input: Uint8Array | string) => string,
    fromUtf8: (input: string) => Uint8Array,
  ) => EventStreamCodec
}

const PACKAGE = '@smithy/eventstream-codec'

/** Returns the codec, loaded when the first stream needs it: most apps have no such stream. */
export const installedCodec = lazyCodec(loadInstalled)

/**
 * Creates a function that loads the codec once.
 *
 * @param load loads the package, or returns why it cannot
 * @returns a function that returns the codec; `undefined` if it is not installed
 */
export function lazyCodec(load: () => CodecModule | Error): () => EventStreamCodec | undefined {
  let codec: EventStreamCodec | undefined
  let isTried = false
  return () => {
    if (isTried) return codec
    isTried = true
    const loaded = load()
    if (loaded instanceof Error) debug.stream('%s cannot be loaded: %s', PACKAGE, loaded.message)
    else codec = new loaded.EventStreamCodec(toUtf8, Buffer.from)
    return codec
  }
}

function loadInstalled(): CodecModule | Error {
  try {
    // A literal, within try: this is what bundlers recognise as an optional package.
    return require('@smithy/eventstream-codec') as CodecModule
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function toUtf8(input: Uint8Array | string): string {
  if (typeof input === 'string') return input
  return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString()
}
