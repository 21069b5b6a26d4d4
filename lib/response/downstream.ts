import { type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Deadlines } from '../exchange/deadlines.js'
import { SSE_HEARTBEAT } from '../framing/index.js'
import { ChunkWriter, writeWithHead } from './chunk-writer.js'
import type { DownstreamEvents } from './downstream-events.js'
import { forceClose } from './force-close.js'
import { endAfterRequest, isUnfinished, mayBeLong } from './linger.js'
import { needsDrain } from './needs-drain.js'
import { setHead } from './response-head.js'

/** Of a large frame, whose pieces have 64 KiB as a rule, so many are written in one turn. */
const PIECES_PER_TURN = 16

/** The client's side of an exchange: what is written to `res`, and how the client keeps up with it. */
export class Downstream {
  /** Body bytes written. */
  bytes = 0
  /** The client does not keep up: nothing must be written until `onDrain`. */
  isBlocked = false
  /** The last bytes have been written. */
  isEnded = false
  /** They have been, and what still comes of the request is discarded before the response ends. */
  isLingering = false
  /** Nobody is there to write to any more. */
  isGone = false
  /** The head of a stream waits for the first bytes, or for `flushHead`. */
  isHeadHeld = false

  readonly #res: ServerResponse
  readonly #deadlines: Deadlines
  readonly #drainTimeoutMs: () => number
  readonly #events: DownstreamEvents
  #head: { status: number; headers: OutgoingHttpHeaders } | undefined
  #flush: (() => void) | undefined
  /** Writes an event stream's pieces, if nothing else has a hand in that. */
  #chunks: ChunkWriter | undefined
  #awaitsDrain = false
  /** What of a large frame was not written yet. */
  #rest: Buffer[] = []
  /** We have set the head. */
  #isOurs = false

  /** @param drainTimeoutMs is asked when it is needed: a request's own limits are not known from its start */
  constructor(res: ServerResponse, deadlines: Deadlines, drainTimeoutMs: () => number, events: DownstreamEvents) {
    this.#res = res
    this.#deadlines = deadlines
    this.#drainTimeoutMs = drainTimeoutMs
    this.#events = events
  }

  /** An answer has begun, and this is whose: the proxy's, or one of some other part of the app. */
  get begun(): 'ours' | 'theirs' | undefined {
    if (this.isHeadHeld) return 'ours'
    if (!this.#res.headersSent) return undefined
    return this.#isOurs ? 'ours' : 'theirs'
  }

  /** Sets the head of an answer; it goes out with the first bytes, and until then an error can still take its place. */
  open(status: number, headers: OutgoingHttpHeaders): void {
    this.#head = { status, headers }
  }

  /** Sets the head of an event stream. It is for good, and goes out with the first bytes, or with `flushHead`. */
  openStream(status: number, headers: OutgoingHttpHeaders): void {
    this.#head = { status, headers }
    this.#setHead()
    this.isHeadHeld = true
  }

  /** Sends the head of an event stream of which there are no bytes yet. */
  flushHead(): void {
    if (!this.isHeadHeld || this.isGone) return
    this.isHeadHeld = false
    this.#res.flushHeaders()
    this.#lookAtStream()
  }

  /** The head is on its way: how the stream is written can be told. */
  #lookAtStream(): void {
    // compression() gives each response a `flush` of its own; Node's, where it still has one, is deprecated and no use.
    const { flush } = this.#res as { flush?: () => void }
    const isNodes = flush === (ServerResponse.prototype as { flush?: () => void }).flush
    this.#flush = isNodes ? undefined : flush?.bind(this.#res)
    if (!this.#flush && this.#res.getHeader('content-encoding')) this.#events.onUnflushable()
    this.#chunks = ChunkWriter.for(this.#res)
  }

  /** A large frame has been written in part: nothing but its rest may follow. */
  get isWithinFrame(): boolean {
    return this.#rest.length > 0
  }

  /** The client has to read first. But a frame that was begun is written to its end: its memory is taken in any case. */
  get mustWait(): boolean {
    return this.isBlocked && !this.isWithinFrame
  }

  /** Writes a large frame, as much of it as one turn may; `writeMore` goes on with it. */
  writePieces(pieces: readonly Buffer[], now: number): void {
    this.#rest = [...pieces]
    this.writeMore(now)
  }

  /** Writes more of a large frame. */
  writeMore(now: number): void {
    for (const piece of this.#rest.splice(0, PIECES_PER_TURN)) this.write(piece, now)
  }

  /** Writes all that is left of a large frame: what comes behind it must not stand in it. */
  #writeRest(): void {
    for (const piece of this.#rest.splice(0)) this.write(piece)
  }

  /** Writes bytes, and notes whether the client keeps up. */
  write(bytes: Buffer, now?: number): void {
    // Some other part of the app may have ended the response; to write to it then would be an error without a handler.
    if (this.isGone || this.#res.writableEnded) return
    if (this.#head) this.#setHead()
    this.bytes += bytes.length
    if (this.#chunks?.isUsable) {
      if (!this.#chunks.write(bytes, this.#onDrain)) this.#block()
      this.#deadlines.touch('heartbeat', now)
      return
    }
    const keepsUp: unknown = this.#writeFirst(bytes) ?? this.#res.write(bytes)
    this.#flush?.()
    this.#deadlines.touch('heartbeat', now)
    if (keepsUp !== true && !this.isBlocked && this.#mustDrain(keepsUp)) this.#block()
  }

  /** @returns whether the client keeps up; `undefined` if the head had to go out alone, or has gone out before */
  #writeFirst(bytes: Buffer): boolean | undefined {
    if (!this.isHeadHeld) return undefined
    this.isHeadHeld = false
    const keepsUp = writeWithHead(this.#res, bytes)
    if (keepsUp === undefined) this.#res.flushHeaders()
    this.#lookAtStream()
    return keepsUp
  }

  #block(): void {
    if (this.isBlocked) return
    this.isBlocked = true
    this.#awaitReader()
    this.#events.onBackpressure()
  }

  /**
   * Whether a `drain` follows. A middleware that wraps `write()` may return anything, as a rule nothing, so that the
   * response itself is asked; but compression() buffers, and drains, in a stream of its own.
   */
  #mustDrain(keepsUp: unknown): boolean {
    // Once for all: behind compression() a listener of `once` would stay on the compressor.
    if (!this.#awaitsDrain) this.#res.on('drain', this.#onDrain)
    this.#awaitsDrain = true
    if (needsDrain(this.#res)) return true
    return keepsUp === false && !this.#res.listeners('drain').includes(this.#onDrain)
  }

  /** Sends a comment, which every reader of an event stream passes over. */
  sendHeartbeat(): void {
    if (!this.isBlocked && !this.isWithinFrame) this.write(SSE_HEARTBEAT)
  }

  /** Sends a comment whenever nothing was sent for `everyMs`; 0 is never. */
  startHeartbeat(everyMs: number): void {
    if (this.isGone) return
    this.#deadlines.start('heartbeat', everyMs, () => {
      try {
        this.sendHeartbeat()
      } catch (error) {
        return this.#events.onCrash(error)
      }
      this.startHeartbeat(everyMs)
    })
  }

  /** Ends the response. The client has to read what is left of it in time. */
  end(last?: Buffer | string): void {
    if (this.isGone) return
    // Somebody else has ended it; to wait for the reader is still ours.
    if (this.#res.writableEnded) return this.#awaitReader()
    this.#writeRest()
    const { req } = this.#res
    const lingers = isUnfinished(req)
    // A client that knows may stop sending.
    if (lingers && this.#head && mayBeLong(req)) this.#res.setHeader('connection', 'close')
    if (this.#head) this.#setHead()
    // With its last bytes, it would tell a length, which no stream has.
    this.flushHead()
    this.#deadlines.stop('heartbeat')
    if (lingers) {
      this.isLingering = true
      endAfterRequest(this.#res, last, this.#deadlines, () => this.isGone)
    } else if (last === undefined) this.#res.end()
    else this.#res.end(last)
    if (last !== undefined) this.bytes += Buffer.byteLength(last)
    this.isEnded = true
    this.#awaitReader()
  }

  /** Closes the connection, so that no client takes what it has for a whole answer. */
  destroy(): void {
    forceClose(this.#res)
  }

  /** The client has left: writes nothing more. */
  close(): void {
    this.isGone = true
    this.isBlocked = false
    this.#rest = []
    this.#res.off('drain', this.#onDrain)
    this.#chunks?.forget(this.#onDrain)
    this.#deadlines.stop('heartbeat')
    this.#deadlines.stop('drain')
  }

  #setHead(): void {
    const head = this.#head
    this.#head = undefined
    if (!head || this.isGone) return
    setHead(this.#res, head.status, head.headers)
    this.#isOurs = true
  }

  readonly #onDrain = (): void => {
    if (this.isGone || !this.isBlocked) return
    this.isBlocked = false
    if (!this.isEnded) this.#deadlines.stop('drain')
    this.#events.onDrain()
  }

  readonly #onSocket = (): void => {
    if (!this.isGone && (this.isBlocked || this.isEnded)) this.#awaitReader()
  }

  #awaitReader(): void {
    // In a pipeline, the response before this one comes first: until then nothing of this one can be read.
    if (!this.#res.socket) {
      this.#res.once('socket', this.#onSocket)
      return
    }
    this.#deadlines.start('drain', this.#drainTimeoutMs(), () => this.#events.onDrainTimeout())
  }
}
