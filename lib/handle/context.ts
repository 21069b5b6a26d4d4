import type { HeldBytes } from '../exchange/held-bytes.js'
import type { Observers } from '../exchange/observers.js'
import type { ExchangeRegistry } from '../exchange/registry.js'
import type { KeptAnswers } from '../journal/answer-cache.js'
import type { Config } from '../options/config.js'
import type { ResponseContext } from '../response/context.js'
import type { OverloadGuard } from '../scheduling/overload.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import type { AnswerOwners } from './answer-owners.js'
import type { ChargedAnswers } from './charged-answers.js'
import type { Journals } from './journals.js'
import type { ReachableProvider } from './reachable-provider.js'
import type { SetupWarnings } from './setup-warnings.js'
import type { StreamReaders } from './stream-readers.js'
import type { TargetPool } from './target-pool.js'

/** What the exchanges of a middleware share. */
export interface ProxyContext extends ResponseContext {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly registry: ExchangeRegistry
  /** The only target, or the first of several. */
  readonly provider: ReachableProvider
  /** Routes requests to several targets. */
  readonly targets: TargetPool | undefined
  readonly observers: Observers
  /** Where answers are kept. */
  readonly journals: Journals
  /** The readers of answers that several requests share. */
  readonly readers: StreamReaders
  readonly warnings: SetupWarnings
  /** The owners of answers that providers keep; `undefined` if streams cannot be continued. */
  readonly owners: AnswerOwners | undefined
  /** The answers kept by providers whose usage has been recorded. */
  readonly charged: ChargedAnswers
  /** Answers that are kept for others. */
  readonly answers: KeptAnswers | undefined
  /** Counts the request bodies in memory. */
  readonly held: HeldBytes
  readonly overload: OverloadGuard | undefined
}
