import { createHash } from 'node:crypto'
import { memoize } from '../util/memoize.js'

/**
 * Orders targets for a key by weighted rendezvous hashing: each target has a score for each key, and the highest comes
 * first. It needs no state, is the same in all processes and on all machines, and moves few keys: if a target leaves,
 * only its own keys move, to the others by their weights. Any subset of the targets is in the same order.
 */
export function rendezvousOrder<T extends { readonly name: string; readonly weight: number }>(
  key: string,
  candidates: readonly T[],
): T[] {
  if (candidates.length < 2) return [...candidates]
  const words = wordsOf(key)
  const scored = candidates.map((target) => ({ target, score: scoreOf(words, target) }))
  scored.sort((a, b) => b.score - a.score || (a.target.name < b.target.name ? -1 : 1))
  return scored.map(({ target }) => target)
}

/** The first 64 bits of a hash. */
type Words = readonly [number, number]

/** SHA-256, since clients choose keys that differ little (`user-1`, `user-2`); once for each, since it takes some µs. */
function wordsOf(text: string): Words {
  const digest = createHash('sha256').update(text).digest()
  return [digest.readInt32BE(0), digest.readInt32BE(4)]
}

const wordsOfName = memoize(wordsOf)

/** -weight / ln(u), with u uniform in (0, 1): the shares of the highest scores are then those of the weights. */
function scoreOf(key: Words, { name, weight }: { readonly name: string; readonly weight: number }): number {
  const words = wordsOfName(name)
  const high = mix(mix(key[0] ^ words[0]) ^ words[1])
  const low = mix(mix(key[1] ^ words[1]) ^ words[0])
  // 52 bits and a half of one: a double holds that exactly, so u is neither 0 nor 1.
  const u = ((high >>> 0) * 2 ** 20 + (low >>> 12) + 0.5) / 2 ** 52
  return -weight / Math.log(u)
}

/** The finalizer of MurmurHash3: each bit of the word changes each bit of the result with a probability of one half. */
function mix(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
