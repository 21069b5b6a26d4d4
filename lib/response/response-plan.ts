import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { downloadsFile } from '../formats/index.js'
import { awsEventStream, type Framing, framingFor, jsonArray, lacksAwsCodec, ndjson, sse } from '../framing/index.js'
import type { Config } from '../options/config.js'
import { debug } from '../util/debug.js'
import type { Secrets } from '../util/secrets.js'
import { type Decoder, decoderFor, isDecodable } from './decode.js'
import { readFirstBytes } from './first-bytes.js'
import { type Label, labelOf } from './label.js'
import { localLinks } from './links.js'
import { addRequestIds } from './request-ids.js'
import { responseHeaders, withoutDigests } from './response-head.js'

/** Kind of a body. */
export interface BodyKind {
  /** Framing of a stream; `undefined` if it is not a stream. */
  readonly framing: Framing | undefined
  /** It is a JSON answer, which reports usage. */
  readonly isJson: boolean
  /** It is a text in the place of a JSON answer, perhaps an error's. */
  readonly isTextInstead?: true
}

/** How a provider's response will be forwarded. */
export interface ResponsePlan {
  /** Status for the client. */
  readonly status: number
  /** Headers for the client. */
  readonly headers: OutgoingHttpHeaders
  /** Status of the provider's: what the body is depends on it, whatever status the app gives the client. */
  readonly providerStatus: number
  /** Label that the provider gave the body, whatever label the app gives it. */
  readonly providerType: string | undefined
  /** Decoder of a compressed body. */
  readonly createDecoder: (() => Decoder) | undefined
  /** Kind according to the head; `undefined` if the first bytes have to show it. */
  readonly kind: BodyKind | undefined
  /** It is an AWS event stream that passes unread, because the package that reads it is not installed. */
  readonly lacksCodec: boolean
  /** The label says that it is JSON, or lines of JSON. */
  readonly isJsonByLabel: boolean
  /** There is no body. */
  readonly isEmpty: boolean
  /** It may quote the request, because it is an error or a text. Bodies read as JSON or as a stream may do so, too. */
  readonly isText: boolean
  /** Only the end of the connection ends the body: that looks the same as a broken connection. */
  readonly isCloseDelimited: boolean
}

/** What decides the kind of an exchange's answer. */
export type AnswerRequest = Pick<Exchange, 'format' | 'asksForStream' | 'isAnsweredInJson' | 'req' | 'client' | 'path'>

/** Returns whether a body that is not a stream is read once it is whole. */
export function isReadWhole({ isJson, isTextInstead }: BodyKind): boolean {
  return isJson || isTextInstead === true
}

const UNCHANGED: BodyKind = { framing: undefined, isJson: false }
const TEXT_INSTEAD: BodyKind = { framing: undefined, isJson: false, isTextInstead: true }
const JSON_ANSWER: BodyKind = { framing: undefined, isJson: true }

/**
 * Decides how a response is forwarded.
 *
 * @throws AiProxyError `upstream_redirected` if it redirects away from the target
 * @param readsErrors also reads the provider's errors as their type says; usually they pass unchanged
 */
export function responsePlan(
  response: IncomingMessage,
  exchange: Exchange,
  config: Config,
  readsErrors: boolean,
): ResponsePlan {
  const status = response.statusCode ?? 502
  const hasBody = mayHaveBody(exchange.client.method, status)
  const createDecoder = decoderFor(response, hasBody)
  const { format } = exchange
  const reportDropped = (names: readonly string[]) =>
    debug.upstream('%s headers of the answer that stay here: %o', exchange.id, names)
  const ofFormat = format.isCustom ? format.responseHeaders : undefined
  const passing = responseHeaders(response, exchange.res, createDecoder !== undefined, reportDropped, ofFormat)
  addRequestIds(passing, exchange)
  const links = localLinks(response, exchange, config)
  const headers = withoutSecrets(links ? { ...passing, ...links } : passing, exchange.secrets)
  // Frames cannot be found in an encoding that we cannot decode: such a body passes unchanged.
  const isReadable = hasBody && !headers['content-encoding'] && (status < 400 || readsErrors)
  const contentType = response.headers['content-type']
  const label = labelOf(contentType)
  if (config.onAnswer && hasBody && label.isJson) {
    if (headers['content-encoding']) throw unseen('in an encoding that cannot be read here')
    if (isPart(exchange, status)) throw unseen('of which this is a part')
  }
  const isText = hasBody && !headers['content-encoding'] && (status >= 400 || mayBeText(label, exchange))
  const mayChange = (isReadable && exchange.asksForStream) || (isText && !exchange.secrets.isEmpty)
  return {
    status,
    providerStatus: status,
    providerType: contentType,
    headers: mayChange ? withoutDigests(headers) : headers,
    createDecoder,
    kind: isReadable ? labelledKind(contentType, exchange, status) : errorKind(hasBody, label, config),
    lacksCodec: isReadable && lacksAwsCodec(contentType, exchange.format.ownFramings),
    isJsonByLabel: label.isJson || framingFor(contentType) === ndjson,
    isEmpty: !hasBody || headers['content-length'] === '0',
    isText,
    isCloseDelimited: !('content-length' in response.headers) && !('transfer-encoding' in response.headers),
  }
}

/** Decides what a provider's error is. Its body is forwarded unchanged unless the app wants to see it. */
function errorKind(hasBody: boolean, label: Label, { onAnswer }: Config): BodyKind | undefined {
  if (!hasBody || !onAnswer || !(label.isJson || label.isPlain)) return UNCHANGED
  return label.isJson ? JSON_ANSWER : undefined
}

/**
 * Returns whether a body may be text by its label. If a stream or JSON was requested, some servers label text as arbitrary
 * bytes; nginx does by default.
 */
function mayBeText({ isBinary, isBytes }: Label, { asksForStream, isAnsweredInJson }: Exchange): boolean {
  return !isBinary && (!isBytes || asksForStream || isAnsweredInJson)
}

function withoutSecrets(headers: OutgoingHttpHeaders, secrets: Secrets): OutgoingHttpHeaders {
  if (secrets.isEmpty) return headers
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value === 'string') headers[name] = secrets.mask(value)
    else if (Array.isArray(value)) headers[name] = value.map((each) => secrets.mask(each))
  }
  return headers
}

/**
 * Returns the kind of a successful answer's body according to its head; `undefined` if the first bytes have to show it.
 */
export function kindByHead(response: IncomingMessage, request: AnswerRequest): BodyKind | undefined {
  const { statusCode: status = 502, headers } = response
  const hasBody = mayHaveBody(request.client.method, status)
  if (!hasBody || !isDecodable(response) || status >= 400) return UNCHANGED
  return labelledKind(headers['content-type'], request, status)
}

function unseen(which: string): AiProxyError {
  return new AiProxyError('upstream_error', `The provider sent JSON ${which}`)
}

/** Returns whether a body is the part of a file that the client has asked for: it is no whole JSON, and need not be. */
function isPart({ client, asksForStream }: AnswerRequest, status: number): boolean {
  return status === 206 && client.method === 'GET' && !asksForStream
}

/** Returns the kind of a body by its label; `undefined` if there is no label, or it may be wrong. */
function labelledKind(contentType: string | undefined, request: AnswerRequest, status: number): BodyKind | undefined {
  if (isPart(request, status)) return UNCHANGED
  const { format, asksForStream, isAnsweredInJson, req } = request
  const framing = framingFor(contentType, format.ownFramings)
  if (framing && downloadsFile(request.client.method, request.path)) return UNCHANGED
  if (framing) return status < 400 && isDoubtful(framing, request) ? undefined : { framing, isJson: false }
  const { isJson, isBinary, isPlain } = labelOf(contentType)
  if (isJson && asksForStream && format.framings.includes(jsonArray) && !format.streamsSse(req.url)) {
    return status < 400 ? { framing: jsonArray, isJson: false } : JSON_ANSWER
  }
  if (asksForStream && status < 400) return isBinary ? UNCHANGED : undefined
  if (isJson) return JSON_ANSWER
  // Some servers label JSON as the page or the bytes that it is not.
  return isPlain || (isAnsweredInJson && !isBinary && status < 400) ? undefined : UNCHANGED
}

/**
 * Returns whether the label of a stream may be wrong. Some servers label whatever they answer at a path as a stream, and
 * others mistake one kind of stream for another. Where events or lines are expected, their label is believed: JSON in their
 * place is found at its end.
 */
function isDoubtful(framing: Framing, { format, asksForStream, isAnsweredInJson, req }: AnswerRequest): boolean {
  if (framing !== sse && framing !== ndjson) return false
  if (!asksForStream) return isAnsweredInJson
  return framing === sse ? !format.streamsSse(req.url) : !streamsLines({ format, req })
}

function streamsLines({ format, req }: Pick<AnswerRequest, 'format' | 'req'>): boolean {
  return format.framings.includes(ndjson) && !format.streamsSse(req.url)
}

/**
 * Returns the kind of a body by its first bytes. Unless a label says otherwise, only a client that asked for a stream
 * gets one.
 *
 * @param start of the body, all that has arrived so far
 * @param isAll no more bytes follow
 * @param contentType of the head; if it says events or lines of JSON, only what cannot be these is treated as something
 *   else
 * @returns `undefined` if more bytes are needed
 */
export function kindByFirstBytes(
  start: Buffer,
  isAll: boolean,
  exchange: AnswerRequest,
  contentType?: string,
): BodyKind | undefined {
  const first = readFirstBytes(start, isAll)
  const labelled = framingFor(contentType)
  const { format, asksForStream } = exchange
  const isJsonArray = first === 'array' && asksForStream && format.framings.includes(jsonArray)
  if (labelled === ndjson && !isJsonArray && (first === 'object' || first === 'array' || first === 'other')) {
    return { framing: ndjson, isJson: false }
  }
  if (first === 'aws-message' && asksForStream && format.framings.includes(awsEventStream)) {
    return awsEventStream.isAvailable?.() === false ? UNCHANGED : { framing: awsEventStream, isJson: false }
  }
  switch (first) {
    case undefined:
      return undefined
    case 'event':
      return asksForStream || labelled ? { framing: sse, isJson: false } : UNCHANGED
    case 'array':
      return isJsonArray ? { framing: jsonArray, isJson: false } : JSON_ANSWER
    case 'object':
      return asksForStream && streamsLines(exchange) ? { framing: ndjson, isJson: false } : JSON_ANSWER
    case 'printed-object':
      return JSON_ANSWER
    case 'aws-message':
    case 'other':
      if (labelled === sse) return { framing: sse, isJson: false }
      return exchange.isAnsweredInJson && (asksForStream || labelled || isTextInPlace(contentType))
        ? TEXT_INSTEAD
        : UNCHANGED
  }
}

/** Returns whether a body that is not JSON may be a text in its place, by its label: not a page, nor arbitrary bytes. */
function isTextInPlace(contentType: string | undefined): boolean {
  const { isJson, isPlain } = labelOf(contentType)
  return isJson || isPlain
}

/** The same for an error of the provider's that passes as it is: JSON, or nothing that is read. */
export function errorKindByFirstBytes(start: Buffer, isAll: boolean): BodyKind | undefined {
  const first = readFirstBytes(start, isAll)
  if (first === undefined) return undefined
  return first === 'event' || first === 'other' || first === 'aws-message' ? UNCHANGED : JSON_ANSWER
}

/** RFC 9112, 6.3. */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}
