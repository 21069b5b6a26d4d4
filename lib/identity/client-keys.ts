import type { IncomingHttpHeaders } from 'node:http'
import { builtInFormats } from '../formats/index.js'

/** Headers in which the SDKs of all formats send a key. */
const HEADERS = ['authorization', ...new Set(builtInFormats.flatMap(({ keyHeaders }) => keyHeaders))]

/** The schemes of `Authorization` under which a key stands: `Bearer`, and none at all, as some clients send it. */
const SCHEME = /^(?:bearer\s+)?(\S+)$/i

/** A longer one is no key, and hashing it would cost. */
const MAX_LENGTH = 512

/** Returns the keys that a client sent, as they stand in its headers: a client may send several. */
export function clientKeys(headers: IncomingHttpHeaders): readonly string[] {
  const keys: string[] = []
  for (const name of HEADERS) {
    const value = headers[name]
    if (typeof value !== 'string' || value.length > MAX_LENGTH) continue
    const key = name === 'authorization' ? SCHEME.exec(value.trim())?.[1] : value.trim()
    if (key && !keys.includes(key)) keys.push(key)
  }
  return keys
}
