import type { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { CompleteFormat, StreamState } from '../formats/index.js'
import { type Framing, sse } from '../framing/index.js'
import { lingerAfter } from './linger.js'
import { JSON_TYPE } from './response-head.js'

/** Failures after which the client should open another connection, perhaps to another process. */
const CLOSING = new Set(['shutting_down', 'too_many_exchanges'])

/** The response that reports a failure before anything was sent, in the client's own protocol. */
export function failureResponse(
  { format, res }: Exchange,
  failure: AiProxyError,
): { status: number; headers: Record<string, string>; body: string } {
  const body = JSON.stringify(format.errorBody(failure))
  if (CLOSING.has(failure.code)) res.setHeader('connection', 'close')
  const length = String(Buffer.byteLength(body))
  return {
    status: failure.status,
    headers: { ...failure.headers, 'content-type': JSON_TYPE, 'content-length': length },
    body,
  }
}

/** Leaves a failure to the app's error handlers. */
export function passToExpress({ req, res, next }: Exchange, failure: AiProxyError): void {
  lingerAfter(req, res)
  next(failure)
}

/**
 * The frame that reports a failure within a running stream, in the form of its framing; `undefined` if the framing has
 * none: then the connection must be cut, or the client would take a part for the whole.
 *
 * @param body an error body of the format
 * @param stream what the stream has reported so far
 */
export function failureFrame(
  framing: Framing,
  format: CompleteFormat,
  body: unknown,
  stream?: StreamState,
): Buffer | undefined {
  if (framing.carriesErrors === false) return undefined
  if (framing === sse) return Buffer.from(format.errorEvent(body, stream))
  return framing.write({ data: JSON.stringify(body), isError: true })
}
