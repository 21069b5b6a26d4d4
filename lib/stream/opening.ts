import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Transform } from 'node:stream'
import type { Exchange } from '../exchange.js'
import { type Framer, type Framing, framingFor, jsonArray, NoFramer } from '../framing/index.js'
import { decoderFor } from './decode.js'
import { mergedVary, responseHeaders } from './response-head.js'

/** How a provider's response is going to be passed on. */
export interface Opening {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** For a body that came compressed. */
  readonly decoder: Transform | undefined
  /** How its frames are told apart; `undefined` where it is no stream. */
  readonly framing: Framing | undefined
  readonly framer: Framer
  /** It is a JSON answer, which tells usage. */
  readonly isJson: boolean
  /** The end of the connection is the end of the body: it cannot be told from a connection that broke. */
  readonly isCloseDelimited: boolean
}

/**
 * Decides how a response is passed on.
 *
 * @param readsErrors also an error of the provider's is read as what its type says; as a rule it passes unchanged
 */
export function openingOf(
  response: IncomingMessage,
  exchange: Exchange,
  maxEventBytes: number,
  readsErrors: boolean,
): Opening {
  const status = response.statusCode ?? 502
  const hasBody = mayHaveBody(exchange.req.method, status)
  const decoder = decoderFor(response, hasBody)
  const headers = responseHeaders(response, decoder !== undefined)
  headers.vary = mergedVary(exchange.res, response.headers.vary)
  // No frames can be seen in an encoding that we cannot decode: such a body passes as it is.
  const isReadable = hasBody && !headers['content-encoding'] && (status < 400 || readsErrors)
  const mediaType = response.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const isJson = isReadable && mediaType === 'application/json'
  const isArray = isJson && exchange.format.name === 'gemini' && exchange.asksForStream
  const framing = isArray ? jsonArray : isReadable ? framingFor(mediaType) : undefined
  return {
    status,
    headers,
    decoder,
    framing,
    framer: framing?.createFramer(maxEventBytes) ?? new NoFramer(),
    isJson: isJson && !framing,
    isCloseDelimited: !('content-length' in response.headers) && !('transfer-encoding' in response.headers),
  }
}

/** RFC 9112, 6.3. */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}
