import type { IncomingMessage, ServerResponse } from 'node:http'
import { Deadlines } from '../exchange/deadlines.js'
import { hasArrived } from '../request/arriving-body.js'
import { ReadThrottle } from '../util/read-throttle.js'

/** Maximum number of bytes read of a body that is no longer needed. */
const MAX_DISCARDED_BYTES = 1024 * 1024
/** How long a client may take to finish the body after it has been answered. */
const LINGER_MS = 1000

/**
 * Reads and discards the rest of a request's body, up to 1 MiB. If a connection is closed with unread bytes, TCP resets
 * it, and the client may lose the answer that explains why. nginx lingers for the same reason
 * (https://nginx.org/en/docs/http/ngx_http_core_module.html#lingering_close).
 */
export class Lingering {
  readonly #req: IncomingMessage
  readonly #onDone: (isComplete: boolean) => void
  readonly #deadlines: Deadlines
  readonly #throttle: ReadThrottle
  #bytes = 0

  /**
   * @param onDone called once: with `true` at the end of the body, with `false` if the client left or ran out of time
   */
  constructor(req: IncomingMessage, onDone: (isComplete: boolean) => void, deadlines: Deadlines) {
    this.#req = req
    this.#throttle = new ReadThrottle(req)
    this.#onDone = onDone
    this.#deadlines = deadlines
    req.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onClose)
    req.resume()
  }

  /** Gives the client one more second. */
  limitTime(): void {
    this.#deadlines.start('linger', LINGER_MS, this.#onClose)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#throttle.count()
    this.#bytes += chunk.length
    // The rest stays unread, but the client keeps its time to read the answer.
    if (this.#bytes > MAX_DISCARDED_BYTES) this.#req.pause()
  }

  readonly #onEnd = (): void => this.#end(true)
  readonly #onClose = (): void => this.#end(false)

  #end(isComplete: boolean): void {
    this.#req.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    this.#deadlines.stop('linger')
    this.#onDone(isComplete)
  }
}

/** Returns whether more of the request's body is to come. */
export function isUnfinished(req: IncomingMessage | undefined): req is IncomingMessage {
  // An HTTP/2 stream ends without its connection.
  return req?.httpVersionMajor === 1 && !hasArrived(req) && !req.destroyed
}

/** Returns whether more may come than is read, so that the connection has to be closed. */
export function mayBeLong({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > MAX_DISCARDED_BYTES
}

/** Lingers after a response that the app sends. If the request does not end in time, the connection is closed. */
export function lingerAfter(req: IncomingMessage, res: ServerResponse): void {
  if (!isUnfinished(req)) return
  let isOver = false
  const deadlines = new Deadlines()
  const end = (isComplete: boolean) => {
    isOver = true
    deadlines.stopAll()
    if (!isComplete) req.socket.destroySoon()
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
 * @param isGone returns whether the client has left
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
  const end = (isComplete: boolean) => {
    if (isGone()) return
    if (!isComplete) res.once('finish', () => req.socket.destroySoon())
    res.end()
  }
  new Lingering(req, end, deadlines).limitTime()
}
