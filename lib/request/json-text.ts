import type { RequestBody } from './body.js'

/** Returns the text of a JSON body that is not compressed. */
export function jsonText({ json, content, decoded, headers }: RequestBody): Buffer | undefined {
  if (json === undefined) return undefined
  if (decoded) return decoded
  return Buffer.isBuffer(content) && headers['content-encoding'] === undefined ? content : undefined
}
