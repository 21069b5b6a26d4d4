import { createHash, randomBytes } from 'node:crypto'
import { shown } from '../util/shown.js'

/** As long as the keys of providers: 256 bits cannot be guessed. */
const BYTES = 32

/** A key for a client, and what the server keeps of it. */
export interface NewKey {
  /** For the client, to be shown once. */
  readonly key: string
  /** `sha256:` and 64 hexadecimal digits, for the server's list. */
  readonly hash: string
}

/**
 * Makes a key of your own for a client, and its hash for {@link hashedKeys}. Show the key once, and keep the hash.
 *
 * @param prefix the beginning of the key, so that people and scanners for leaked keys recognise it: letters, digits, `_` and
 *   `-`. Default `'sk-'`
 * @throws TypeError if the prefix has other characters
 */
export function newKey(prefix = 'sk-'): NewKey {
  if (typeof prefix !== 'string' || !/^[\w-]{0,32}$/.test(prefix)) {
    throw new TypeError(`newKey takes a prefix of at most 32 letters, digits, "_" and "-"; got ${shown(prefix)}`)
  }
  const key = prefix + randomBytes(BYTES).toString('base64url')
  return { key, hash: `sha256:${createHash('sha256').update(key).digest('hex')}` }
}
