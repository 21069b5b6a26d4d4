import type { HookedExchange } from '../api/hooks.js'

/** Gives what the app's functions see of an exchange, which is created for those only. */
export interface ExchangeSource {
  hookView(): HookedExchange
}
