import { setTimeout as wait } from 'node:timers/promises'
import type { Exchange } from '../exchange/exchange.js'

/** How long to wait before each look, in milliseconds. */
const WAITS_MS = [50, 100, 200, 400]

/**
 * Looks again for something that is not in the store. A client may know of it from another process, which does not wait for
 * the store.
 *
 * @returns `undefined` if it is still not there
 */
export async function lookAgain<T>(
  exchange: Pick<Exchange, 'isSettled'>,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  for (const waitMs of WAITS_MS) {
    await wait(waitMs, undefined, { ref: false })
    if (exchange.isSettled) return undefined
    const found = await look()
    if (found !== undefined) return found
  }
  return undefined
}
