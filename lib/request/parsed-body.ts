import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { AiProxyError } from '../api/errors.js'
import { parseJsonBytes } from '../json/json.js'
import { type Bounds, JsonSurvey, MAX_NAME_BYTES } from '../json/survey.js'

/** A request after a body parser. */
type ParsedRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; _body?: boolean }

interface LeftBody {
  readonly bytes: Buffer
  /** Set if the bytes no longer match the client's `content-type`. */
  readonly contentType?: string
  /** The parsed JSON, if the parser left that. */
  readonly json?: unknown
}

/** Comparing more than this with what the parser made of it would take too long: the maximum is some 20 ms. */
const MAX_COMPARED_BYTES = 256 * 1024
const MAX_COMPARED_JSON: Bounds = { depth: 500, fields: 1000, name: MAX_NAME_BYTES, work: 20_000 }
/** The default limit of `express.urlencoded()`. */
const MAX_COMPARED_FIELDS = 1000
const AMPERSAND = 0x26

/**
 * Returns the body of a request that a parser (`express.json()`, `text()`, `raw()`, `urlencoded()`) has already read.
 * What the app made of `req.body` is forwarded. If a `verify` hook or a platform kept raw bytes as `req.rawBody` and
 * they have the same content, those are forwarded instead, because serializing JSON changes numbers that JavaScript
 * cannot represent. If comparing would take too long, `req.body` is forwarded.
 *
 * @returns `undefined` if the body has not been read yet
 * @throws AiProxyError `invalid_request` if the body is gone
 */
export function bodyLeftByParser(req: ParsedRequest): LeftBody | undefined {
  if (!req._body && !req.readableDidRead && !req.readableEnded) return undefined
  const raw = asBytes(req.rawBody, req)
  const left = leftIn(req, raw !== undefined)
  if (!raw) {
    if (left) return left
    throw new BodyConsumedError(typeOf(req))
  }
  return left && !hasSameContent(raw.bytes, left, req) ? left : raw
}

/** Converts `req.body` to bytes. */
function leftIn(req: ParsedRequest, hasRaw: boolean): LeftBody | undefined {
  const { body } = req
  const bytes = asBytes(body, req)
  if (bytes) return bytes
  const type = typeOf(req)
  if (typeof body !== 'object' || body === null || /^multipart\//i.test(type)) return undefined
  // Express 4 leaves an empty object if no parser has read the body.
  if (hasRaw && !isForm(type) && !/json/i.test(type) && Object.keys(body).length === 0) return undefined
  if (isForm(type)) {
    return { bytes: Buffer.from(new URLSearchParams(fields(body)).toString()), contentType: asUtf8(req) }
  }
  return { bytes: Buffer.from(JSON.stringify(body)), contentType: asUtf8(req), json: body }
}

function asBytes(kept: unknown, req: IncomingMessage): LeftBody | undefined {
  if (kept instanceof Uint8Array) return { bytes: Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength) }
  if (typeof kept === 'string' && kept !== '') return { bytes: Buffer.from(kept), contentType: asUtf8(req) }
  return undefined
}

function hasSameContent(raw: Buffer, left: LeftBody, req: ParsedRequest): boolean {
  if (raw.equals(left.bytes)) return true
  if (raw.length > MAX_COMPARED_BYTES || left.bytes.length > MAX_COMPARED_BYTES) return false
  if ('json' in left) {
    if (isExpensiveToCompare(raw) || isExpensiveToCompare(left.bytes)) return false
    try {
      // Compares what would be serialized, because `toJSON` counts.
      return isDeepStrictEqual(parseJsonBytes(raw), parseJsonBytes(left.bytes))
    } catch {
      return false
    }
  }
  if (!isForm(typeOf(req)) || hasManyFields(raw) || hasManyFields(left.bytes)) return false
  return sortedFields(raw) === sortedFields(left.bytes)
}

/** Returns whether JSON has so many values that comparing it would block the event loop. */
function isExpensiveToCompare(json: Buffer): boolean {
  const survey = new JsonSurvey(json, undefined, MAX_COMPARED_JSON)
  survey.advance()
  return survey.exceeded !== undefined
}

function hasManyFields(form: Buffer): boolean {
  let fields = 1
  for (let at = form.indexOf(AMPERSAND); at >= 0; at = form.indexOf(AMPERSAND, at + 1)) {
    if (++fields > MAX_COMPARED_FIELDS) return true
  }
  return false
}

/** Serializes a form's fields in an order that does not depend on the parser. */
function sortedFields(form: Buffer): string {
  const fields = new URLSearchParams(form.toString())
  fields.sort()
  return fields.toString()
}

/** Thrown if something before the proxy has read the body, and left nothing to restore it from. */
export class BodyConsumedError extends AiProxyError {
  constructor(type: string) {
    const what = type || 'no content-type'
    super('invalid_request', `The request body (${what}) was read before the proxy could: mount it before that parser`)
  }
}

function typeOf(req: IncomingMessage): string {
  return req.headers['content-type'] ?? ''
}

function isForm(type: string): boolean {
  return /^application\/x-www-form-urlencoded/i.test(type)
}

/** Returns the client's content type, with the charset of a serialized body. */
function asUtf8(req: IncomingMessage): string {
  return typeOf(req).replace(/(charset=)"?[^";]+"?/i, '$1utf-8')
}

/** Returns a form's fields in the notation of `qs`, `a[b][0]`, which `urlencoded({ extended: true })` parses. */
function fields(value: unknown, name = ''): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[name, String(value ?? '')]]
  // A repeated field, as both variants of `urlencoded()` parse it.
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.map((item) => [name, item])
  return Object.entries(value).flatMap(([key, item]) => fields(item, name ? `${name}[${key}]` : key))
}
