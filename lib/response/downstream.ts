import { type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { AnswerRecorder } from '../exchange/answer-recorder.js'
import type { Deadlines } from '../exchange/deadlines.js'
import { type Framing, SSE_HEARTBEAT } from '../framing/index.js'
import { ChunkWriter, joinWithNextTick, writeWithHead } from './chunk-writer.js'
import type { DownstreamEvents } from './downstream-events.js'
import { DrainWatch } from './drain-watch.js'
import { forceClose } from './force-close.js'
import { Heartbeat } from './heartbeat.js'
import { endAfterRequest, isUnfinished, mayBeLong } from './linger.js'
import { setHead } from './response-head.js'

/** Maximum number of pieces of a large frame that one turn writes. A piece usually has 64 KiB. */
const MAX_PIECES_PER_TURN = 16

/** The client's side of an exchange: writes to `res`, and tracks whether the client keeps up. */
export class Downstream {
  /** Body bytes written. */
  bytes = 0
  /** The last bytes have been written. */
  isEnded = false
  /** They have been, and the rest of the request is discarded first. */
  isLingering = false
  /** The client has left: there is nothing to write to. */
  isGone = false
  /** The client gets what it has missed first: what is written is only kept. */
  isLagging = false
  /** The answer has ended while the client lagged. */
  endsLater = false
  /** The head of a stream waits for its first bytes, or for `flushHead`. */
  isHeadHeld = false
  /** Keeps what is sent. Set before anything is. */
  recorder: AnswerRecorder | undefined

  readonly #res: ServerResponse
  readonly #deadlines: Deadlines
  readonly #drain: DrainWatch
  readonly #heartbeat: Heartbeat
  readonly #events: DownstreamEvents
  #head: { status: number; headers: OutgoingHttpHeaders } | undefined
  #flush: (() => void) | undefined
  /** Writes an event stream's pieces, if nothing interferes with that. */
  #chunks: ChunkWriter | undefined
  /** The part of a large frame that has not been written yet. */
  #rest: Buffer[] = []
  /** The proxy has set the head. */
  #hasSetHead = false

  /** @param drainTimeoutMs called when needed: a request's own limits are not known from its start */
  constructor(res: ServerResponse, deadlines: Deadlines, drainTimeoutMs: () => number, events: DownstreamEvents) {
    this.#res = res
    this.#deadlines = deadlines
    this.#drain = new DrainWatch(res, deadlines, drainTimeoutMs, events)
    this.#events = events
    this.#heartbeat = new Heartbeat(deadlines, () => this.sendHeartbeat(), events)
  }

  /** The client does not keep up: nothing may be written until `onDrain`. */
  get isBlocked(): boolean {
    return this.#drain.isBlocked
  }

  /** The part of the app that has begun an answer: the proxy, or another one; `undefined` before that. */
  get begunBy(): 'proxy' | 'app' | undefined {
    if (this.isHeadHeld && !this.#head) return 'proxy'
    if (!this.#res.headersSent) return undefined
    return this.#hasSetHead ? 'proxy' : 'app'
  }

  /** Sets the head of an answer. It is sent with the first bytes; until then an error can replace it. */
  open(status: number, headers: OutgoingHttpHeaders): void {
    this.recorder?.setHead(status, headers, undefined)
    this.#head = { status, headers }
    this.isHeadHeld = false
  }

  /**
   * Sets the head of a stream, for good if its framing carries errors. It is sent with the first bytes, or by `flushHead`.
   *
   * @param framing `undefined` if it is not known yet
   */
  openStream(status: number, headers: OutgoingHttpHeaders, framing?: Framing): void {
    this.recorder?.setHead(status, headers, framing)
    const { recorder } = this
    this.#head = { status, headers: recorder ? { ...headers, ...recorder.headersFor(framing) } : headers }
    if (framing?.carriesErrors !== false) this.#setHead()
    this.isHeadHeld = true
  }

  /** Sends the head of an event stream that has no bytes yet. */
  flushHead(): void {
    if (!this.isHeadHeld || this.isGone) return
    this.isHeadHeld = false
    this.#setHead()
    this.#res.flushHeaders()
    this.#prepareWriter()
  }

  /** Chooses how to write the stream, once its head is being sent. */
  #prepareWriter(): void {
    // compression() adds a `flush` to each response; Node's own, if it still has one, is deprecated and useless.
    const { flush } = this.#res as { flush?: () => void }
    const isNodes = flush === (ServerResponse.prototype as { flush?: () => void }).flush
    this.#flush = isNodes ? undefined : flush?.bind(this.#res)
    if (!this.#flush && this.#res.getHeader('content-encoding')) this.#events.onUnflushable()
    this.#chunks = ChunkWriter.for(this.#res)
  }

  /** A large frame has been written in part: only its rest may follow. */
  get isWithinFrame(): boolean {
    return this.#rest.length > 0
  }

  /**
   * Whether the client has to read first. A frame that was begun is written to its end, because its memory is in use
   * anyway.
   */
  get mustWait(): boolean {
    return this.isBlocked && !this.isWithinFrame && !this.isLagging
  }

  /** Writes as much of a large frame as one turn may; `writeMore` continues. */
  writePieces(pieces: readonly Buffer[], now: number): void {
    const seen = this.recorder?.keepLarge(pieces) ?? pieces
    if (this.isLagging) return
    this.#rest = [...seen]
    this.writeMore(now)
  }

  /**
   * Writes frames of the answer, and has them kept if the answer is.
   *
   * @param ends where each frame ends, if all of them are events
   */
  writeFrames(frames: Buffer, ends: readonly number[] | undefined, now: number): void {
    const seen = this.recorder ? this.recorder.keep(frames, ends) : frames
    if (!seen || this.isLagging) return
    this.write(seen, now)
    if (seen !== frames) this.#chunks?.whenTaken(() => this.recorder?.sent(seen))
  }

  /** The system has taken all that was written, and nobody else keeps it. */
  get hasSentAll(): boolean {
    return this.#chunks?.hasSentAll === true && !this.isWithinFrame && this.recorder?.copiesBytes !== false
  }

  /** Writes more of a large frame. */
  writeMore(now: number): void {
    for (const piece of this.#rest.splice(0, MAX_PIECES_PER_TURN)) this.write(piece, now)
  }

  /** Writes bytes, and notes whether the client keeps up. */
  write(bytes: Buffer, now?: number): void {
    // Another part of the app may have ended the response; writing would then emit an error that nothing handles.
    if (this.isGone || this.#res.writableEnded) return
    if (this.#head) this.#setHead()
    this.bytes += bytes.length
    this.#heartbeat.touch(now)
    const isTaken = this.#chunks?.write(bytes, this.#drain.onDrain)
    if (isTaken === false) this.#drain.block()
    if (isTaken !== undefined) return
    const keepsUp: unknown = this.#writeFirst(bytes) ?? this.#res.write(bytes)
    this.#flush?.()
    if (keepsUp !== true && !this.isBlocked && this.#drain.mustDrain(keepsUp)) this.#drain.block()
  }

  /** @returns whether the client keeps up; `undefined` if the head had to be sent alone, or was sent before */
  #writeFirst(bytes: Buffer): boolean | undefined {
    if (!this.isHeadHeld) return undefined
    this.isHeadHeld = false
    const keepsUp = writeWithHead(this.#res, bytes)
    if (keepsUp === undefined) this.#res.flushHeaders()
    this.#prepareWriter()
    return keepsUp
  }

  /** The end follows in the next tick: what is written until then is sent together with it. */
  expectEnd(): void {
    if (!this.isGone) joinWithNextTick(this.#res)
  }

  /** Sends a comment, which every reader of an event stream ignores. */
  sendHeartbeat(): void {
    if (!this.isBlocked && !this.isWithinFrame) this.write(SSE_HEARTBEAT)
  }

  /** Sends a comment whenever nothing was sent for `everyMs`; `Infinity` means never. */
  startHeartbeat(everyMs: number): void {
    if (!this.isGone) this.#heartbeat.start(everyMs)
  }

  /** Ends the response. The client must read the rest of it in time. */
  end(given?: Buffer | string): void {
    const last = given !== undefined && this.recorder ? this.recorder.keep(Buffer.from(given), undefined) : given
    this.recorder?.end(true)
    if (this.isGone) return
    if (this.isLagging) {
      this.endsLater = true
      return this.#drain.awaitReader()
    }
    // Other code has ended the response; we still have to enforce the time limit for reading it.
    if (this.#res.writableEnded) return this.#drain.awaitReader()
    for (const piece of this.#rest.splice(0)) this.write(piece)
    const lingers = isUnfinished(this.#res.req)
    // A client that sees this header may stop sending.
    if (lingers && this.#head && mayBeLong(this.#res.req)) this.#res.setHeader('connection', 'close')
    this.#setHead()
    // Sent together with the last bytes, the head would get a `content-length`, which no stream has.
    this.flushHead()
    this.#heartbeat.stop()
    if (lingers) {
      this.isLingering = true
      endAfterRequest(this.#res, last, this.#deadlines, () => this.isGone)
    } else if (last === undefined) this.#res.end()
    else this.#res.end(last)
    if (last !== undefined) this.bytes += Buffer.byteLength(last)
    this.isEnded = true
    this.#drain.awaitReader(true)
  }

  /** Closes the connection so that no client takes the partial body for a complete answer. */
  destroy(): void {
    this.recorder?.end(false)
    forceClose(this.#res)
  }

  /** Closes the connection of a client that does not read. The answer goes on. */
  disconnect(): void {
    forceClose(this.#res)
  }

  /** Stops writing after the client has left. */
  close(): void {
    this.#chunks?.checkTaken()
    this.isLagging = false
    this.isGone = true
    this.#rest = []
    this.#drain.stop()
    this.#chunks?.removeDrainListener(this.#drain.onDrain)
    this.#heartbeat.stop()
  }

  #setHead(): void {
    const head = this.#head
    this.#head = undefined
    if (!head || this.isGone) return
    setHead(this.#res, head.status, head.headers)
    this.#hasSetHead = true
  }
}
