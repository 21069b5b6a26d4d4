import type { Config } from '../options/config.js'
import type { UsageRefusals } from '../request/usage-refusals.js'
import type { UpstreamProxy } from '../upstream/proxy.js'

/** A provider, and how it is reached. */
export interface ReachableProvider {
  /** All options, with this provider's. */
  readonly config: Config
  readonly upstream: UpstreamProxy
  readonly usageRefusals: UsageRefusals
}
