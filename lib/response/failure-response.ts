import type { AiProxyError } from '../api/errors.js'
import type { OnFailure } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import type { CompleteFormat, StreamState } from '../formats/index.js'
import { type Framing, sse } from '../framing/index.js'
import type { HookErrors } from '../options/hook-errors.js'
import { toFinishedAnswer } from '../request/hook-answer.js'
import { onDisconnect } from './disconnect.js'
import { lingerAfter } from './linger.js'
import { leaveRequestId } from './request-ids.js'
import { JSON_TYPE } from './response-head.js'

/** Failures after which the client should open another connection, perhaps to another process. */
const CLOSING = new Set(['shutting_down', 'too_many_exchanges'])

/** The response to a failure. */
export interface FailureResponse {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string | Buffer | undefined
}

/** Creates the response that reports a failure before anything was sent, in the client's protocol. */
export function failureResponse({ format, res }: Exchange, failure: AiProxyError): FailureResponse {
  const body = JSON.stringify(format.errorBody(failure))
  if (CLOSING.has(failure.code)) res.setHeader('connection', 'close')
  const length = String(Buffer.byteLength(body))
  return {
    status: failure.status,
    headers: { ...failure.headers, 'content-type': JSON_TYPE, 'content-length': length },
    body,
  }
}

/**
 * Asks the app for the response to a failure.
 *
 * @returns the app's, or the one that reports the failure; it never rejects
 */
export async function askForResponse(
  onFailure: OnFailure,
  exchange: Exchange,
  failure: AiProxyError,
  hookErrors: HookErrors,
): Promise<FailureResponse> {
  const byDefault = failureResponse(exchange, failure)
  const { client } = exchange
  const answered = exchange.signalsClientUntilAnswered((gone) =>
    onDisconnect(client, (wasSent) => {
      if (!wasSent) gone()
    }),
  )
  try {
    const returned: unknown = await onFailure(failure, exchange.hookView())
    const answer = toFinishedAnswer('errors', returned, failure, failure.status)
    if (!answer) return byDefault
    const { status, headers, content } = answer
    return { status, headers: { ...failure.headers, ...lowerCased(headers) }, body: content }
  } catch (error) {
    hookErrors.report('errors', error, exchange.hookView())
    return byDefault
  } finally {
    answered()
  }
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** Leaves a failure to the app's error handlers. */
export function passToExpress(exchange: Exchange, failure: AiProxyError): void {
  const { req, res, next } = exchange
  leaveRequestId(exchange)
  lingerAfter(req, res)
  next(failure)
}

/**
 * Returns the frame that reports a failure within a running stream, in its framing; `undefined` if the framing has
 * none: then the connection must be closed abruptly, or the client would take the part for the whole.
 *
 * @param body an error body of the format
 * @param stream the state of the stream
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
