import type { RequestBody } from './body.js'
import { type BodyBytes, byteLength } from './body-bytes.js'

/** Replaces the bytes of a body, which are JSON and not compressed. */
export function withContent(body: RequestBody, content: BodyBytes, json: unknown): RequestBody {
  const headers: Record<string, string> = {}
  for (const name of Object.keys(body.headers)) if (name !== 'content-encoding') headers[name] = body.headers[name]!
  headers['content-length'] = String(byteLength(content))
  // A body that was something else (an upload) is JSON now.
  if (body.json === undefined || !headers['content-type']) headers['content-type'] = 'application/json'
  return { content, headers, json }
}
