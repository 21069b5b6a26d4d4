import type { Exchange } from '../exchange/exchange.js'
import type { Observers } from '../exchange/observers.js'
import type { ExchangeRegistry } from '../exchange/registry.js'
import type { Config } from '../options/config.js'
import type { TurnScheduler } from '../scheduling/turns.js'

/** What answers share with all others of the middleware. */
export interface ResponseContext {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly registry: Pick<ExchangeRegistry, 'admitStream'>
  readonly observers: Pick<Observers, 'onTurn'>
  /** The stream goes out through a compression that holds events back. */
  onUnflushable(): void
  /** Nothing more happens in this exchange. */
  onOver(exchange: Exchange): void
}
