import { type AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'

/** What the outcome of a hook of the app's leads to. Nothing is called once the exchange is over. */
interface HookCallbacks<T> {
  /** The exchange has ended meanwhile, and the hook's result is of no use. */
  isGivenUp(): boolean
  goOn(result: T): void
  fail(failure: AiProxyError): void
}

/** Waits for a hook of the app's, which must not hold the client for ever: for as long as for a provider's first byte. */
export async function waitForHook<T>(exchange: Exchange, hook: Promise<T>, callbacks: HookCallbacks<T>): Promise<void> {
  const { deadlines, limits } = exchange
  deadlines.start('hook', limits.firstByteTimeoutMs, () => callbacks.fail(limitFailure('first_byte_timeout', limits)))
  try {
    const result = await hook
    if (callbacks.isGivenUp()) return
    deadlines.stop('hook')
    callbacks.goOn(result)
  } catch (error) {
    if (!callbacks.isGivenUp()) callbacks.fail(toFailure(error))
  }
}
