import { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { processClock, type TimerClock } from '../exchange/timer-clock.js'
import { PendingBytes } from '../framing/pending-bytes.js'

/** A response without a connection: all of its body is in memory. */
class StoredResponse extends IncomingMessage {
  /** @param without names of headers to leave out, in lower case */
  constructor(of: IncomingMessage, without: ReadonlySet<string>) {
    super(undefined as unknown as Socket)
    this.statusCode = of.statusCode
    this.statusMessage = of.statusMessage
    this.httpVersion = of.httpVersion
    this.httpVersionMajor = of.httpVersionMajor
    this.httpVersionMinor = of.httpVersionMinor
    this.headers = Object.fromEntries(Object.entries(of.headers).filter(([name]) => !without.has(name)))
    // Mocks of HTTP may have none.
    const raw = of.rawHeaders ?? []
    for (let at = 0; at < raw.length; at += 2) {
      if (!without.has(raw[at]!.toLowerCase())) this.rawHeaders.push(raw[at]!, raw[at + 1]!)
    }
    // Needed even if nobody listens: an error without a listener would end the process.
    this.on('error', () => {})
  }

  /** Node's implementation resumes the connection. */
  override _read(): void {}
}

const NONE: ReadonlySet<string> = new Set()
/** Headers that say where the body ends, or that something follows it. */
const FRAMING_HEADERS: ReadonlySet<string> = new Set(['transfer-encoding', 'content-length', 'trailer'])

/**
 * Returns a complete response with the head of another, and a body that is in memory. It has a `content-length` instead
 * of a `transfer-encoding`, and no connection.
 *
 * @param of gives status, headers and HTTP version
 * @param body in the coding that the head names
 * @param without names of further headers to leave out, in lower case
 */
export function storedResponse(of: IncomingMessage, body: Buffer, without: readonly string[] = []): IncomingMessage {
  // Without a body, the header gives the length of what another request would get (RFC 9110, 8.6).
  const keepsLength = body.length === 0 && of.headers['content-length'] !== undefined
  const left = new Set([...FRAMING_HEADERS, ...without])
  if (keepsLength) left.delete('content-length')
  const stored = new StoredResponse(of, left)
  if (!keepsLength && of.statusCode !== 204 && of.statusCode !== 304) {
    stored.headers['content-length'] = String(body.length)
    stored.rawHeaders.push('Content-Length', String(body.length))
  }
  stored.complete = true
  if (body.length > 0) stored.push(body)
  stored.push(null)
  return stored
}

/** Returns a response that broke off: it has the head of another, and what had arrived of its body. */
export function brokenResponse(of: IncomingMessage, body: Buffer): IncomingMessage {
  const stored = new StoredResponse(of, NONE)
  if (body.length > 0) stored.push(body)
  stored.destroy(of.errored ?? new Error('the response was closed before its end'))
  return stored
}

/**
 * Reads the whole of a response, so that its connection can carry the next request.
 *
 * @param maxBytes of the body
 * @param ms how long it may take
 * @param done called once, later, with the response in memory; with `undefined` if the response broke off, is larger, or
 *   took longer. Nothing more is read of it then
 */
export function readWhole(
  response: IncomingMessage,
  maxBytes: number,
  ms: number,
  done: (stored: IncomingMessage | undefined) => void,
  timers: TimerClock = processClock,
): void {
  const body = new PendingBytes()
  let isOver = false
  const finish = (stored: IncomingMessage | undefined) => {
    if (isOver) return
    isOver = true
    timers.clearTimer(timer)
    response.off('data', onData).off('end', onEnd).off('close', giveUp)
    if (!stored) response.pause()
    done(stored)
  }
  const giveUp = () => finish(undefined)
  const onEnd = () => finish(storedResponse(response, Buffer.concat(body.pieces, body.bytes)))
  const onData = (chunk: Buffer | string) => {
    body.append(Buffer.from(chunk as Buffer))
    if (body.bytes > maxBytes) giveUp()
  }
  const timer = timers.setTimer(giveUp, ms)
  // The error is followed by `close`.
  response.on('error', () => {})
  const isTooLarge = Number(response.headers['content-length']) > maxBytes
  if (isTooLarge || response.destroyed) process.nextTick(giveUp)
  else response.on('data', onData).on('end', onEnd).on('close', giveUp)
}
