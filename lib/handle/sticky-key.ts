import { createHash } from 'node:crypto'
import type { Exchange } from '../exchange/exchange.js'
import { beginningOf, cacheKeyIn } from '../formats/index.js'
import { boundedJson } from '../json/bounded-json.js'
import type { Routing } from '../options/config.js'

/** The app's own keys are ids; a client could send a longer one. */
const MAX_KEY_LENGTH = 256
/** Characters of the beginning that are hashed: prompts that differ only after them share a target, which does no harm. */
const MAX_HASHED_CHARS = 64 * 1024

/**
 * Returns the key by which a request sticks to a target.
 *
 * @returns `undefined` if it may go to any
 */
export function stickyKey(sticky: Routing['sticky'], body: unknown, exchange: Exchange): string | undefined {
  if (!sticky) return undefined
  try {
    const key = sticky.key ? sticky.key({ body }, exchange.hookView()) : cacheKeyIn(body)
    if (typeof key === 'string' && key !== '') return key.length > MAX_KEY_LENGTH ? digest(key) : key
    if (sticky.key) return undefined
  } catch {
    // It was reported. The request goes to any target.
    return undefined
  }
  const beginning = beginningOf(body)
  return beginning.length === 0 ? undefined : digest(boundedJson(beginning, MAX_HASHED_CHARS))
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
