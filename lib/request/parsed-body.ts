import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { AiProxyError } from '../api/errors.js'
import { parseJsonBytes } from '../json/json.js'
import { type Bounds, JsonSurvey } from '../json/survey.js'

/** What a body parser leaves on a request. */
type ParsedRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; _body?: boolean }

interface LeftBody {
  readonly bytes: Buffer
  /** Set where the bytes are not what the client's `content-type` says any more. */
  readonly contentType?: string
  /** The parsed JSON, where the parser left that. */
  readonly json?: unknown
}

/** To compare more than that with what the parser made of it would take too long: some 20 ms is the most. */
const COMPARED_BYTES = 256 * 1024
const COMPARED_JSON: Bounds = { depth: 500, fields: 1000, work: 20_000 }
/** `express.urlencoded()` takes no more, unless it is told to. */
const COMPARED_FORM_FIELDS = 1000
const AMPERSAND = 0x26

/**
 * The body of a request that a parser (`express.json()`, `text()`, `raw()`, `urlencoded()`) read before us. What the app
 * has made of `req.body` is what goes on. The raw bytes that a `verify` hook or a platform kept as `req.rawBody` go on
 * instead if they say the same, because writing JSON anew changes numbers that JavaScript cannot hold. What would take
 * too long to compare goes on as it is in `req.body`.
 *
 * @returns `undefined` if the body still waits to be read
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
  return left && !saysTheSame(raw.bytes, left, req) ? left : raw
}

/** What is in `req.body`, as bytes. */
function leftIn(req: ParsedRequest, hasRaw: boolean): LeftBody | undefined {
  const { body } = req
  const bytes = asBytes(body, req)
  if (bytes) return bytes
  const type = typeOf(req)
  if (typeof body !== 'object' || body === null || /^multipart\//i.test(type)) return undefined
  // Express 4 leaves an empty object of what no parser has read.
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

function saysTheSame(raw: Buffer, left: LeftBody, req: ParsedRequest): boolean {
  if (raw.equals(left.bytes)) return true
  if (raw.length > COMPARED_BYTES || left.bytes.length > COMPARED_BYTES) return false
  if ('json' in left) {
    if (isDearToCompare(raw) || isDearToCompare(left.bytes)) return false
    try {
      // As it would be written: `toJSON` counts.
      return isDeepStrictEqual(parseJsonBytes(raw), parseJsonBytes(left.bytes))
    } catch {
      return false
    }
  }
  if (!isForm(typeOf(req)) || hasManyFields(raw) || hasManyFields(left.bytes)) return false
  return sortedFields(raw) === sortedFields(left.bytes)
}

/** Whether JSON has so many values that comparing it would hold the event loop. */
function isDearToCompare(json: Buffer): boolean {
  const survey = new JsonSurvey(json, undefined, COMPARED_JSON)
  survey.advance()
  return survey.exceeded !== undefined
}

function hasManyFields(form: Buffer): boolean {
  let fields = 1
  for (let at = form.indexOf(AMPERSAND); at >= 0; at = form.indexOf(AMPERSAND, at + 1)) {
    if (++fields > COMPARED_FORM_FIELDS) return true
  }
  return false
}

/** A form's fields, in an order that does not depend on how it was parsed. */
function sortedFields(form: Buffer): string {
  const fields = new URLSearchParams(form.toString())
  fields.sort()
  return fields.toString()
}

/** The body is gone: something that stands before the proxy has read it, and left nothing that it could be made from. */
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

/** The client's content type, with the charset that a body written anew has. */
function asUtf8(req: IncomingMessage): string {
  return typeOf(req).replace(/(charset=)"?[^";]+"?/i, '$1utf-8')
}

/** A form's fields in `qs`'s spelling, `a[b][0]`, which `urlencoded({ extended: true })` understood. */
function fields(value: unknown, name = ''): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[name, String(value ?? '')]]
  // A field that came more than once, as both kinds of `urlencoded()` understand it.
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.map((item) => [name, item])
  return Object.entries(value).flatMap(([key, item]) => fields(item, name ? `${name}[${key}]` : key))
}
