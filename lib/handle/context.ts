import type { HeldBytes } from '../exchange/held-bytes.js'
import type { Observers } from '../exchange/observers.js'
import type { ExchangeRegistry } from '../exchange/registry.js'
import type { Config } from '../options/config.js'
import type { UsageRefusals } from '../request/usage-refusals.js'
import type { ResponseContext } from '../response/context.js'
import type { OverloadGuard } from '../scheduling/overload.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import type { UpstreamProxy } from '../upstream/proxy.js'
import type { SetupWarnings } from './setup-warnings.js'

/** What the exchanges of a middleware share. */
export interface ProxyContext extends ResponseContext {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly registry: ExchangeRegistry
  readonly upstream: UpstreamProxy
  readonly observers: Observers
  readonly warnings: SetupWarnings
  readonly usageRefusals: UsageRefusals
  /** Counts the request bodies in memory. */
  readonly held: HeldBytes
  readonly overload: OverloadGuard | undefined
}
