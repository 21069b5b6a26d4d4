import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { inspect } from 'node:util'
import type { Subject } from '../api/subject.js'
import { isObject } from '../json/json.js'
import { checkedSubject } from '../options/identify.js'
import { consumeKey } from '../util/consumed-keys.js'
import { hasMembers } from '../util/has-members.js'
import { clientKeys } from './client-keys.js'

interface Known {
  readonly digest: Buffer
  readonly subject: string | Subject
}

const HASH = /^sha256:([0-9a-f]{64})$/

/**
 * Creates a function for the option `identify` that recognises clients by keys of your own, which they send as `Authorization`,
 * `x-api-key`, `api-key` or `x-goog-api-key`, as the SDKs do. Only hashes are kept; the digests are compared in constant time. A
 * recognised key never goes to a provider, whatever `forwardCredentials` and `forwardHeaders` say. Requests without a known
 * key get 401.
 *
 * @param subjects the subjects by the hashes of their keys: `{ 'sha256:9f86d0…': 'ada' }`; see {@link newKey}
 * @throws TypeError if a name is no hash, or a subject is neither an id nor a valid object with one
 */
export function hashedKeys(
  subjects: Readonly<Record<string, string | Subject>>,
): (req: Pick<IncomingMessage, 'headers'>) => string | Subject | null {
  const known = new Map<string, Known>()
  if (!hasMembers(subjects)) {
    throw new TypeError(`hashedKeys takes an object of subjects by the hashes of their keys; got ${shown(subjects)}`)
  }
  for (const [hash, subject] of Object.entries(subjects)) {
    const [, hex] = HASH.exec(hash) ?? []
    // What is no hash may be a key: it must not be shown.
    if (!hex) throw new TypeError("hashedKeys takes names like 'sha256:' and 64 digits from 0 to f: newKey() makes one")
    const given: unknown = typeof subject === 'string' ? { id: subject } : subject
    if (!isObject(given) || typeof given.id !== 'string' || given.id === '') {
      throw new TypeError(`hashedKeys takes an id, or an object with an id, for ${hash}; got ${shown(subject)}`)
    }
    checkedSubject(given, `hashedKeys takes, for ${hash},`)
    known.set(hex, { digest: Buffer.from(hex, 'hex'), subject })
  }
  return (req) => {
    let found: string | Subject | null = null
    for (const key of clientKeys(req.headers)) {
      const digest = createHash('sha256').update(key).digest()
      // The position of a digest in a table reveals nothing about the key: no key can be chosen to have a given digest.
      const candidate = known.get(digest.toString('hex'))
      if (!candidate || !timingSafeEqual(candidate.digest, digest)) continue
      consumeKey(req.headers, key)
      found ??= candidate.subject
    }
    return found
  }
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 50 })
}
