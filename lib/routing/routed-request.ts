import type { HookedExchange } from '../api/hooks.js'

/** What the choice of a target depends on. */
export interface RoutedRequest {
  /** The key by which it sticks to a target; `undefined` if it has none. */
  readonly stickyKey: string | undefined
  /** Returns the exchange as the app's functions see it. */
  hookView(): HookedExchange
}
