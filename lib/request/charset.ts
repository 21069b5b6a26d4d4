import { isUtf8 } from 'node:buffer'
import { AiProxyError } from '../api/errors.js'

/** The whole value, whatever follows the first name: some readers look for an encoding in all of `utf-8,utf-7`. */
const CHARSET = /charset[^a-z\d]*([^;]*)/gi
const UTF8 = /^(?:utf-?8|us-ascii)"?\s*$/i

/**
 * Rejects JSON that a provider could read in another encoding than we do: a reader that believes `charset=utf-7` finds
 * other fields in it. One reader drops bytes that are not UTF-8, and another replaces them.
 *
 * @throws AiProxyError `unsupported_media_type`, `invalid_request`
 */
export function rejectOtherEncodings(bytes: Buffer, contentType = ''): void {
  for (const [, charset = ''] of contentType.matchAll(CHARSET)) {
    if (!UTF8.test(charset)) {
      throw new AiProxyError('unsupported_media_type', 'The request body must be JSON in UTF-8')
    }
  }
  if (!isUtf8(bytes)) throw new AiProxyError('invalid_request', 'The request body is not valid UTF-8')
}
