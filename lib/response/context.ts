import type { Exchange } from '../exchange/exchange.js'
import type { Observers } from '../exchange/observers.js'
import type { ExchangeRegistry } from '../exchange/registry.js'
import type { Config } from '../options/config.js'
import type { TurnScheduler } from '../scheduling/turns.js'

/** What all answers of a middleware share. */
export interface ResponseContext {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly registry: Pick<ExchangeRegistry, 'admitStream'>
  readonly observers: Pick<Observers, 'onTurn'>
  /** Called if a compressing middleware buffers the stream's events. */
  onUnflushable(): void
  /** Called if a stream passes unread because the package that reads its framing is not installed. */
  onMissingCodec(): void
  /** Called when the exchange has ended. */
  onEnd(exchange: Exchange): void
}
