import type { IncomingMessage } from 'node:http'
import { AiProxyError } from '../errors.js'

/** What a body parser leaves on a request. */
type ParsedRequest = IncomingMessage & { body?: unknown; rawBody?: unknown; _body?: boolean }

interface LeftBody {
  readonly bytes: Buffer
  /** Set where the bytes are not what the client's `content-type` says any more. */
  readonly contentType?: string
  /** The parsed JSON, where the parser left that. */
  readonly json?: unknown
}

/**
 * The body of a request that a parser (`express.json()`, `text()`, `raw()`, `urlencoded()`) read before us; the raw bytes
 * where a `verify` hook or a platform kept them as `req.rawBody`. `undefined` where the body still waits to be read.
 *
 * @throws AiProxyError `invalid_request` where the body is gone
 */
export function bodyLeftByParser(req: ParsedRequest): LeftBody | undefined {
  if (!req._body && !req.readableDidRead && !req.readableEnded) return undefined
  for (const kept of [req.rawBody, req.body]) {
    if (kept instanceof Uint8Array) return { bytes: Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength) }
    if (typeof kept === 'string' && kept !== '') return { bytes: Buffer.from(kept), contentType: asUtf8(req) }
  }
  const type = req.headers['content-type'] ?? ''
  const { body } = req
  if (typeof body === 'object' && body !== null && !/^multipart\//i.test(type)) {
    if (!/^application\/x-www-form-urlencoded/i.test(type)) {
      return { bytes: Buffer.from(JSON.stringify(body)), contentType: asUtf8(req), json: body }
    }
    return { bytes: Buffer.from(new URLSearchParams(fields(body)).toString()), contentType: asUtf8(req) }
  }
  throw new BodyConsumedError(type)
}

/** The body is gone: something that stands before the proxy has read it, and left nothing that it could be made from. */
export class BodyConsumedError extends AiProxyError {
  constructor(type: string) {
    const what = type.slice(0, 64) || 'no content-type'
    super('invalid_request', `The request body (${what}) was read before the proxy could: mount it before that parser`)
  }
}

/** The client's content type, with the charset that a body written anew has. */
function asUtf8(req: IncomingMessage): string {
  return (req.headers['content-type'] ?? '').replace(/(charset=)"?[^";]+"?/i, '$1utf-8')
}

/** A form's fields in `qs`'s spelling, `a[b][0]`, which `urlencoded({ extended: true })` understood. */
function fields(value: unknown, name = ''): [string, string][] {
  if (typeof value !== 'object' || value === null) return [[name, String(value ?? '')]]
  // A field that came more than once, as both kinds of `urlencoded()` understand it.
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.map((item) => [name, item])
  return Object.entries(value).flatMap(([key, item]) => fields(item, name ? `${name}[${key}]` : key))
}
