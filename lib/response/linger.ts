import type { IncomingMessage, ServerResponse } from 'node:http'
import { Deadlines } from '../exchange/deadlines.js'
import { ReadThrottle } from '../util/read-throttle.js'

/** How much more of a body is read that nobody needs. */
const MOST_BYTES = 1024 * 1024
/** How long a client may take to end it, once it has been answered. */
const LINGER_MS = 1000

/**
 * Reads and discards the rest of a request's body, up to 1 MiB. If a connection is closed with unread bytes, TCP resets it,
 * and the client may lose the answer that tells it why. nginx lingers for the same reason
 * (https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close).
 */
export class Lingering {
  readonly #req: IncomingMessage
  readonly #onOver: (isWhole: boolean) => void
  readonly #deadlines: Deadlines
  readonly #brake: ReadThrottle
  #bytes = 0

  /**
   * @param onOver called once: with `true` at the end of the body, with `false` if the client has left or its time is up
   */
  constructor(req: IncomingMessage, onOver: (isWhole: boolean) => void, deadlines: Deadlines) {
    this.#req = req
    this.#brake = new ReadThrottle(req)
    this.#onOver = onOver
    this.#deadlines = deadlines
    req.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onClose)
    req.resume()
  }

  /** Gives the client one more second. */
  limitTime(): void {
    this.#deadlines.start('linger', LINGER_MS, this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#brake.count()
    this.#bytes += chunk.length
    // The rest stays unread, but the client still has its time to read the answer.
    if (this.#bytes > MOST_BYTES) this.#req.pause()
  }

  readonly #onEnd = (): void => this.#end(true)
  readonly #onClose = (): void => this.#end(false)

  #end(isWhole: boolean): void {
    this.#req.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    this.#deadlines.stop('linger')
    this.#onOver(isWhole)
  }
}

/** Whether more of the request's body is to come. */
export function isUnfinished(req: IncomingMessage | undefined): req is IncomingMessage {
  // An HTTP/2 stream ends without its connection.
  return req?.httpVersionMajor === 1 && !req.complete && !req.destroyed
}

/** Whether so much may be to come that the connection has to be closed. */
export function mayBeLong({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > MOST_BYTES
}

/** Lingers after a response that is not ours. If the request does not end in time, the connection is closed. */
export function lingerAfter(req: IncomingMessage, res: ServerResponse): void {
  if (!isUnfinished(req)) return
  let isOver = false
  const deadlines = new Deadlines()
  const end = (isWhole: boolean) => {
    isOver = true
    deadlines.stopAll()
    if (!isWhole) req.socket.destroySoon()
  }
  const lingering = new Lingering(req, end, deadlines)
  res.once('finish', () => {
    if (!isOver) lingering.limitTime()
  })
}

/**
 * Sends the last bytes of a response, but ends it only after its request: Node might close the connection at the end of
 * the response.
 *
 * @param isGone whether nobody is there to write to any more
 */
export function endAfterRequest(
  res: ServerResponse,
  last: Buffer | string | undefined,
  deadlines: Deadlines,
  isGone: () => boolean,
): void {
  const { req } = res
  if (last === undefined) res.flushHeaders()
  else res.write(last)
  const end = (isWhole: boolean) => {
    if (isGone()) return
    if (!isWhole) res.once('finish', () => req.socket.destroySoon())
    res.end()
  }
  new Lingering(req, end, deadlines).limitTime()
}
