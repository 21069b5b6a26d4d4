import type { IncomingMessage } from 'node:http'
import { Deadlines, type TimerClock } from '../deadlines.js'

/** What is still read of a body that nobody needs. */
const MOST_BYTES = 1024 * 1024
/** And for how long. */
const LINGER_MS = 1000

/**
 * Reads and throws away what still comes of a request's body, up to 1 MiB. A connection that is closed while bytes wait
 * to be read is reset, and the client may then lose the answer that tells it why: nginx lingers for the same reason
 * (https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close).
 */
export class Lingering {
  readonly #req: IncomingMessage
  readonly #onOver: (isWhole: boolean) => void
  readonly #deadlines: Deadlines
  #bytes = 0

  /**
   * @param onOver called once: with `true` when the body has come to its end, with `false` when the client is gone, or
   *   when its time is up, which counts from `limitTime()`
   */
  constructor(req: IncomingMessage, onOver: (isWhole: boolean) => void, clock?: TimerClock) {
    this.#req = req
    this.#onOver = onOver
    this.#deadlines = new Deadlines(clock)
    req.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onGone).on('error', this.#onGone)
    req.resume()
  }

  /** Gives the client one more second. */
  limitTime(): void {
    this.#deadlines.start('linger', LINGER_MS, () => this.#end(false))
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length
    // The rest stays unread. The client has until its time is up to read the answer.
    if (this.#bytes > MOST_BYTES) this.#req.pause()
  }

  readonly #onEnd = (): void => this.#end(true)
  readonly #onGone = (): void => this.#end(false)

  #end(isWhole: boolean): void {
    const req = this.#req
    req.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onGone).off('error', this.#onGone)
    this.#deadlines.stopAll()
    this.#onOver(isWhole)
  }
}

/** Bytes of the request's body are still to come; only so much of them is read that the client gets the answer. */
export function isUnfinished(req: IncomingMessage | undefined): req is IncomingMessage {
  // HTTP/2 has streams: to end one leaves the connection as it is.
  return req !== undefined && req.httpVersionMajor === 1 && !req.complete && !req.destroyed
}

/** More of the body may be to come than is read of it, so that the connection will have to be closed. */
export function mayBeLong(req: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': transfer } = req.headers
  return transfer !== undefined || Number(length) > MOST_BYTES
}

/** For a response that some other part of the app gives: the connection is closed if the request does not end. */
export function lingerBehind(
  req: IncomingMessage,
  res: { once(event: 'finish', listener: () => void): unknown },
): void {
  if (!isUnfinished(req)) return
  const lingering = new Lingering(req, (isWhole) => {
    if (!isWhole) req.socket.destroy()
  })
  res.once('finish', () => lingering.limitTime())
}
