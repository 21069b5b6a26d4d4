import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { type Framing, framingFor, jsonArray, mediaTypesOf, ndjson, sse } from '../framing/index.js'
import type { Config } from '../options/config.js'
import { debug } from '../util/debug.js'
import { memoize } from '../util/memoize.js'
import type { Secrets } from '../util/secrets.js'
import { type Decoder, decoderFor } from './decode.js'
import { readFirstBytes } from './first-bytes.js'
import { linksHere } from './links.js'
import { responseHeaders, withoutDigests } from './response-head.js'

/** What a body is. */
export interface BodyKind {
  /** How its frames are told apart; `undefined` where it is no stream. */
  readonly framing: Framing | undefined
  /** It is a JSON answer, which tells usage. */
  readonly isJson: boolean
}

/** How a provider's response is going to be passed on. */
export interface ResponsePlan {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  /** For a body that came compressed. */
  readonly decoder: Decoder | undefined
  /** What the head says of the body; `undefined` where its first bytes have to tell. */
  readonly kind: BodyKind | undefined
  /** The head says that it is JSON, or lines of it. */
  readonly isJsonByLabel: boolean
  /** There is no body. */
  readonly isEmpty: boolean
  /** It may quote what it was sent: an error, or a text. What is read as JSON, or as a stream, may as well. */
  readonly isText: boolean
  /** The end of the connection is the end of the body: it cannot be told from a connection that broke. */
  readonly isCloseDelimited: boolean
}

const AS_IT_IS: BodyKind = { framing: undefined, isJson: false }
const JSON_ANSWER: BodyKind = { framing: undefined, isJson: true }

const JSON_TYPE = /^(?:application|text)\/(?:x-)?json$|\+json$/
/** Types whose bodies are no text, whoever labelled them. */
const BINARY_TYPE =
  /^(?:audio|video|image(?!\/svg)|font|model|multipart)\/|^application\/(?:pdf|zip|gzip|x-gzip|x-tar|wasm|grpc|(?:x-)?protobuf|(?:x-)?msgpack|vnd\.)/

/**
 * Decides how a response is passed on.
 *
 * @throws AiProxyError `upstream_redirected`, where it is a redirect to elsewhere
 * @param readsErrors also an error of the provider's is read as what its type says; as a rule it passes unchanged
 */
export function responsePlan(
  response: IncomingMessage,
  exchange: Exchange,
  config: Config,
  readsErrors: boolean,
): ResponsePlan {
  const status = response.statusCode ?? 502
  const hasBody = mayHaveBody(exchange.req.method, status)
  const decoder = decoderFor(response, hasBody)
  const passing = responseHeaders(response, exchange.res, decoder !== undefined, (names) => {
    debug.upstream('%s headers of the answer that stay here: %o', exchange.id, names)
  })
  const links = linksHere(response, exchange, config)
  const shown = withoutSecrets(links ? { ...passing, ...links } : passing, exchange.secrets)
  // No frames can be seen in an encoding that we cannot decode: such a body passes as it is.
  const isReadable = hasBody && !shown['content-encoding'] && (status < 400 || readsErrors)
  const contentType = response.headers['content-type']
  const label = labelOf(contentType)
  if (config.onAnswer && hasBody && label.isJson && shown['content-encoding']) {
    throw new AiProxyError('upstream_error', 'The provider sent JSON in an encoding that cannot be read here')
  }
  const isText = hasBody && !shown['content-encoding'] && (status >= 400 || mayBeText(label, exchange))
  const mayChange = (isReadable && exchange.asksForStream) || (isText && !exchange.secrets.isEmpty)
  return {
    status,
    headers: mayChange ? withoutDigests(shown) : shown,
    decoder,
    kind: isReadable ? labelledKind(contentType, exchange, status) : errorKind(hasBody, label, config),
    isJsonByLabel: label.isJson || framingFor(contentType) === ndjson,
    isEmpty: !hasBody || shown['content-length'] === '0',
    isText,
    isCloseDelimited: !('content-length' in response.headers) && !('transfer-encoding' in response.headers),
  }
}

/** What the error of a provider's is, whose body passes unchanged unless the app is to see it. */
function errorKind(hasBody: boolean, label: Label, { onAnswer }: Config): BodyKind | undefined {
  if (!hasBody || !onAnswer || !(label.isJson || label.isPlain)) return AS_IT_IS
  return label.isJson ? JSON_ANSWER : undefined
}

/** By its label: where a stream was asked for, servers send texts as bytes of any kind, nginx by default. */
function mayBeText({ isBinary, isBytes }: Label, { asksForStream }: Exchange): boolean {
  return !isBinary && (!isBytes || asksForStream)
}

function withoutSecrets(headers: OutgoingHttpHeaders, secrets: Secrets): OutgoingHttpHeaders {
  if (secrets.isEmpty) return headers
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') headers[name] = secrets.mask(value)
    else if (Array.isArray(value)) headers[name] = value.map((each) => secrets.mask(each))
  }
  return headers
}

/** What a body is by its label; `undefined` where the label may be wrong, or there is none. */
function labelledKind(contentType: string | undefined, exchange: Exchange, status: number): BodyKind | undefined {
  const { format, asksForStream, req } = exchange
  const framing = framingFor(contentType, format.ownFramings)
  // Where clients read events, some servers call them lines of JSON.
  const mayBeEvents = framing === ndjson && format.streamsSse(req.url)
  if (mayBeEvents && asksForStream && status < 400) return undefined
  if (framing) return { framing, isJson: false }
  const { isJson, isBinary, isPlain } = labelOf(contentType)
  if (isJson && asksForStream && format.framings.includes(jsonArray) && !format.streamsSse(req.url)) {
    return status < 400 ? { framing: jsonArray, isJson: false } : JSON_ANSWER
  }
  if (asksForStream && status < 400) return isBinary ? AS_IT_IS : undefined
  if (isJson) return JSON_ANSWER
  return isPlain ? undefined : AS_IT_IS
}

/** What a `content-type` says of a body, if it is no stream. */
interface Label {
  readonly isJson: boolean
  /** No text, whoever labelled it. */
  readonly isBinary: boolean
  /** Bytes of any kind. */
  readonly isBytes: boolean
  /** A text of any kind, or nothing is said. */
  readonly isPlain: boolean
}

const labelIn = memoize((contentType): Label => {
  const types = mediaTypesOf(contentType)
  return {
    isJson: types.some(isJsonType),
    isBinary: types.some((type) => BINARY_TYPE.test(type) && !isJsonType(type)),
    isBytes: types.includes('application/octet-stream'),
    isPlain: types.every((type) => type === 'text/plain'),
  }
})

function labelOf(contentType = ''): Label {
  return labelIn(contentType)
}

function isJsonType(type: string): boolean {
  return JSON_TYPE.test(type)
}

/**
 * What a body is by its first bytes. Without a label to the contrary, only who asked for a stream gets one.
 *
 * @param start of the body, all that has come so far
 * @param isAll no more bytes follow
 * @param contentType that of the head; where it says lines of JSON, events alone are something else
 * @returns `undefined` if it takes more bytes to tell
 */
export function kindByFirstBytes(
  start: Buffer,
  isAll: boolean,
  exchange: Exchange,
  contentType?: string,
): BodyKind | undefined {
  const first = readFirstBytes(start, isAll)
  if (first !== undefined && first !== 'event' && framingFor(contentType) === ndjson) {
    return { framing: ndjson, isJson: false }
  }
  const { format, asksForStream } = exchange
  switch (first) {
    case undefined:
      return undefined
    case 'event':
      return asksForStream ? { framing: sse, isJson: false } : AS_IT_IS
    case 'array':
      return asksForStream && format.framings.includes(jsonArray) ? { framing: jsonArray, isJson: false } : JSON_ANSWER
    case 'object':
      return asksForStream && format.framings[0] === ndjson ? { framing: ndjson, isJson: false } : JSON_ANSWER
    case 'printed-object':
      return JSON_ANSWER
    case 'other':
      return AS_IT_IS
  }
}

/** The same for an error of the provider's that passes as it is: JSON, or nothing that is read. */
export function errorKindByFirstBytes(start: Buffer, isAll: boolean): BodyKind | undefined {
  const first = readFirstBytes(start, isAll)
  if (first === undefined) return undefined
  return first === 'event' || first === 'other' ? AS_IT_IS : JSON_ANSWER
}

/** RFC 9112, 6.3. */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}
