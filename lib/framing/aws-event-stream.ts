import * as zlib from 'node:zlib'
import { sizeOf } from '../util/size-of.js'
import { type EventStreamCodec, type EventStreamMessage, installedCodec } from './aws-codec.js'
import { BaseFramer } from './base-framer.js'
import type { Framing, Message } from './framing.js'
import { PassThroughFramer } from './pass-through.js'

type Crc32 = (bytes: Uint8Array, before?: number) => number

/** Length of the message, length of its headers, checksum of both. */
const PRELUDE_BYTES = 12
const CHECKSUM_BYTES = 4
/** AWS's limit, and more than any message of Bedrock has. Messages with more headers are not read. */
const MAX_HEADER_BYTES = 16 * 1024
/** A longer message is not joined; its checksum is computed piece by piece. */
const MAX_JOINED_BYTES = 256 * 1024
const MIN_MESSAGE_BYTES = PRELUDE_BYTES + CHECKSUM_BYTES

// Available in Node since 20.15 and 22.2.
const nativeCrc32: Crc32 | null = zlib.crc32 ?? null

/**
 * Splits an AWS event stream between its messages. A message that is damaged does not go out.
 *
 * https://smithy.io/2.0/aws/amazon-eventstream.html
 */
export class AwsEventStreamFramer extends BaseFramer {
  readonly carriesMessages = true
  readonly heartbeat = undefined
  readonly #codec: EventStreamCodec
  readonly #crc32: Crc32 | null
  /** Number of bytes of a message that must have arrived before anything can be done. */
  #needed = PRELUDE_BYTES
  /** Checksum of the part of a long message that has arrived, and the length of that part. */
  #checksum = 0
  #checksummedBytes = 0

  /**
   * @param maxEventBytes the longest message that may pass, in bytes
   * @param codec checks messages if Node has no `crc32`, at several times the cost
   */
  constructor(maxEventBytes: number, codec: EventStreamCodec, crc32: Crc32 | null = nativeCrc32) {
    super(maxEventBytes)
    this.#codec = codec
    this.#crc32 = crc32
  }

  /** Joins a message that is not long, so that it can be checked in one piece, but only after all of it has arrived. */
  protected override join(chunks: readonly Buffer[]): Buffer {
    const size = this.pending.bytes + sizeOf(chunks)
    const isJoined = size >= this.#needed && !this.#isLong(this.#needed)
    return isJoined ? this.pending.joinAllWith(chunks) : this.pending.joinWith(chunks)
  }

  protected scan(chunk: Buffer): void {
    let cut = 0
    if (this.pending.bytes > 0) {
      if (!this.#isLong(this.#needed)) return
      cut = this.#scanLong(chunk)
      if (cut === 0) return
    }
    this.#checksum = this.#checksummedBytes = 0
    for (;;) {
      const length = this.#lengthAt(chunk, cut)
      this.#needed = length ?? PRELUDE_BYTES
      if (length === undefined || chunk.length - cut < length) return
      if (!this.#isIntact(chunk.subarray(cut, cut + length))) return this.#markCorrupt()
      cut += length
      this.endFrame(cut, true)
    }
  }

  #isLong(length: number): boolean {
    return this.#crc32 !== null && length > MAX_JOINED_BYTES
  }

  /** @returns the end of the pending long message; 0 if it is incomplete or damaged */
  #scanLong(chunk: Buffer): number {
    if (this.#checksummedBytes === 0) for (const piece of this.pending.pieces) this.#updateChecksum(piece)
    const missing = this.#needed - this.pending.bytes
    this.#updateChecksum(chunk.subarray(0, missing))
    if (chunk.length < missing) return 0
    const end =
      missing >= CHECKSUM_BYTES ? chunk : Buffer.concat([...this.pending.pieces.slice(-CHECKSUM_BYTES), chunk])
    const isIntact = end.readUInt32BE(end.length - chunk.length + missing - CHECKSUM_BYTES) === this.#checksum
    if (!isIntact) {
      this.#markCorrupt()
      return 0
    }
    this.endFrame(missing, true)
    return missing
  }

  #updateChecksum(bytes: Buffer): void {
    const some = bytes.subarray(0, Math.max(0, this.#needed - CHECKSUM_BYTES - this.#checksummedBytes))
    if (some.length > 0) this.#checksum = this.#crc32!(some, this.#checksum)
    this.#checksummedBytes += bytes.length
  }

  #markCorrupt(): void {
    this.corrupt = 'a message of its AWS event stream is damaged'
  }

  protected finish(): void {
    if (this.pending.bytes > 0) this.corrupt = 'it ended in the middle of a message of its AWS event stream'
  }

  /**
   * Returns the length of the message that begins here; `undefined` if its prelude is incomplete or invalid. The length
   * is checked before it is used, so that the framer never waits for a nonsensical number of bytes.
   */
  #lengthAt(chunk: Buffer, at: number): number | undefined {
    if (chunk.length - at < PRELUDE_BYTES) return undefined
    const length = chunk.readUInt32BE(at)
    const headers = chunk.readUInt32BE(at + 4)
    if (this.#crc32 && this.#crc32(chunk.subarray(at, at + 8)) !== chunk.readUInt32BE(at + 8)) {
      this.corrupt = 'the prelude of a message of its AWS event stream is damaged'
    } else if (headers > length - MIN_MESSAGE_BYTES) {
      this.corrupt = `a message of its AWS event stream cannot have ${length} bytes, ${headers} of them headers`
    } else if (length > this.maxEventBytes) {
      this.tooLarge = true
    } else {
      return length
    }
    return undefined
  }

  #isIntact(message: Buffer): boolean {
    const end = message.length - CHECKSUM_BYTES
    if (this.#crc32) return this.#crc32(message.subarray(0, end)) === message.readUInt32BE(end)
    return tryDecode(this.#codec, message) !== undefined
  }
}

/**
 * Creates the framing for AWS event streams.
 *
 * @param codec returns the codec; `undefined` if it is not installed, in which case streams pass as they are
 */
export function awsEventStreamWith(codec: () => EventStreamCodec | undefined): Framing {
  return {
    name: 'aws-event-stream',
    contentType: 'application/vnd.amazon.eventstream',
    mediaTypes: ['application/vnd.amazon.eventstream'],
    isBinary: true,
    isAvailable: () => codec() !== undefined,
    createFramer(maxEventBytes) {
      const installed = codec()
      return installed ? new AwsEventStreamFramer(maxEventBytes, installed) : new PassThroughFramer()
    },
    read(frame) {
      const installed = codec()
      const hasTooManyHeaders = frame.length >= MIN_MESSAGE_BYTES && frame.readUInt32BE(4) > MAX_HEADER_BYTES
      const message = installed && !hasTooManyHeaders ? tryDecode(installed, frame) : undefined
      return message && toMessage(message)
    },
    dataStart: (beginning) => (beginning.length < PRELUDE_BYTES ? 0 : PRELUDE_BYTES + beginning.readUInt32BE(4)),
    write(message) {
      const installed = codec()
      if (!installed) throw new Error('AWS event streams cannot be written without @smithy/eventstream-codec')
      const bytes = installed.encode({ headers: toHeaders(message), body: Buffer.from(message.data) })
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    },
  }
}

/** AWS's binary messages, as Bedrock sends them. */
export const awsEventStream = awsEventStreamWith(installedCodec)

function tryDecode(codec: EventStreamCodec, message: Buffer): EventStreamMessage | undefined {
  try {
    // Decodes a copy: the codec trusts header lengths, and would read on in the buffer that the message was cut from.
    return codec.decode(new Uint8Array(message))
  } catch {
    return undefined
  }
}

/**
 * Converts events, exceptions (modeled errors) and errors (all others):
 * https://smithy.io/2.0/aws/amazon-eventstream.html
 */
function toMessage({ headers, body }: EventStreamMessage): Message {
  const header = (name: string) => {
    const value = headers[name]?.value
    return typeof value === 'string' ? value : undefined
  }
  const data = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString()
  switch (header(':message-type')) {
    case 'exception':
      return { event: header(':exception-type'), data, isError: true }
    case 'error': {
      // An error has everything in its headers. In the shape of an exception, readers find its message in one place.
      const [code, message] = [header(':error-code'), header(':error-message')]
      return { event: code, data: data || JSON.stringify({ code, message }), isError: true }
    }
    default:
      return { event: header(':event-type'), data }
  }
}

function toHeaders({ event, isError }: Message): EventStreamMessage['headers'] {
  const named = isError ? (event ?? 'internalServerException') : event
  return {
    ':message-type': string(isError ? 'exception' : 'event'),
    ...(named !== undefined && { [isError ? ':exception-type' : ':event-type']: string(named) }),
    ':content-type': string('application/json'),
  }
}

function string(value: string) {
  return { type: 'string', value }
}
