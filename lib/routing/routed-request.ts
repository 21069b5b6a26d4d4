import type { ExchangeSource } from '../options/exchange-source.js'

/** What the choice of a target depends on. */
export interface RoutedRequest extends ExchangeSource {
  /** The key by which it sticks to a target; `undefined` if it has none. */
  readonly stickyKey: string | undefined
}
