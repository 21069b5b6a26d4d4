import type { RequestBody } from './body.js'

/** The text of a body that is JSON, not compressed. */
export function jsonText({ json, content, decoded, headers }: RequestBody): Buffer | undefined {
  if (json === undefined) return undefined
  if (decoded) return decoded
  return Buffer.isBuffer(content) && headers['content-encoding'] === undefined ? content : undefined
}
