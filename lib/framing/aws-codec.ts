/** What we use of `@smithy/eventstream-codec`, an optional peer: its own types need not be there. */
export interface EventStreamCodec {
  encode(message: EventStreamMessage): Uint8Array
  /** @throws Error where a checksum is wrong, or what the message holds is no message */
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

/** The codec, loaded when the first stream needs it: most apps have none that does. */
export const installedCodec = lazyCodec(loadInstalled)

/**
 * @param load loads the package, or says why that cannot be
 * @returns gives the codec, or `undefined` where it is not installed, and says that in a warning once
 */
export function lazyCodec(load: () => CodecModule | Error): () => EventStreamCodec | undefined {
  let codec: EventStreamCodec | undefined
  let isTried = false
  return () => {
    if (isTried) return codec
    isTried = true
    const loaded = load()
    if (loaded instanceof Error) warn(loaded)
    else codec = new loaded.EventStreamCodec(toUtf8, Buffer.from)
    return codec
  }
}

function loadInstalled(): CodecModule | Error {
  try {
    // Spelled out, and here: bundlers look for just this, and take a package that is not there for optional.
    return require('@smithy/eventstream-codec') as CodecModule
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function warn(cause: Error): void {
  const sentence = `express-ai-proxy passes AWS event streams as they are. To have them read: npm install ${PACKAGE}`
  process.emitWarning(sentence, { code: 'AI_PROXY_NO_EVENTSTREAM_CODEC', detail: cause.message })
}

function toUtf8(input: Uint8Array | string): string {
  if (typeof input === 'string') return input
  return Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString()
}
