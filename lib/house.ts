import type { Config } from './config.js'
import type { Ledger } from './ledger.js'
import type { Observers } from './observers.js'
import type { OverloadGuard } from './overload.js'
import type { HeldBytes } from './request/held-bytes.js'
import type { UsageRefusals } from './request/usage-refusals.js'
import type { SetupWarnings } from './setup-warnings.js'
import type { TurnScheduler } from './stream/turns.js'
import type { UpstreamProxy } from './upstream/proxy.js'

/** What the exchanges of a middleware share. */
export interface House {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly ledger: Ledger
  readonly upstream: UpstreamProxy
  readonly observers: Observers
  readonly warnings: SetupWarnings
  readonly usageRefusals: UsageRefusals
  /** The request bodies that are held. */
  readonly held: HeldBytes
  readonly overload: OverloadGuard | undefined
}
