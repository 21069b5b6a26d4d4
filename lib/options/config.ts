import type { OnFailure } from '../api/hooks.js'
import type { ResolvedLimits } from '../api/limits.js'
import type { Observer } from '../api/observer.js'
import type { AiProxyOptions, ModelOptions } from '../api/options.js'
import type { Policy } from '../api/policy.js'
import type { ProxyOptions } from '../api/provider-options.js'
import type {
  Balance,
  HedgeOptions,
  PreambleOptions,
  RetryOptions,
  RetryReason,
  StickyOptions,
} from '../api/targets.js'
import type { CompleteFormat } from '../formats/index.js'
import type { CostOf } from '../pricing/pricing.js'
import type { SetupWarningCode } from '../util/warn.js'
import type { ResolvedCache } from './cache.js'
import type { CheckedCredential } from './credentials.js'
import type { EndpointFilter } from './endpoints.js'
import type { HeaderFilter } from './forward-headers.js'
import type { HookErrors } from './hook-errors.js'
import type { IdentifySubject } from './identify.js'
import type { LabelsOf } from './labels.js'
import type { CompiledLimits } from './limits.js'
import type { ModelFilter, ModelsOf } from './models.js'
import type { ResolvedResume } from './resume.js'
import type { TargetModelRules } from './target-models.js'

/** A provider, and how to reach it. */
export interface Provider {
  /** Name of the target. */
  readonly name: string
  /** Scheme, host and port of the provider. */
  readonly origin: string
  /** Path prefix of the target, without a slash at its end. */
  readonly prefix: string
  readonly auth: { readonly headers: [string, CheckedCredential][]; readonly query: [string, CheckedCredential][] }
  readonly headers: [string, string][]
  readonly endpoints: EndpointFilter
  readonly proxy: ProxyOptions
}

/** One of the providers that requests are routed to. */
export interface Target {
  readonly name: string
  /** All options, with this provider's. */
  readonly config: Config
  /** Names of the formats that it speaks; `undefined` if it speaks all. */
  readonly formats: ReadonlySet<string> | undefined
  readonly models: TargetModelRules
  readonly weight: number
  readonly priority: number
  /** `Infinity` if there is no limit. */
  readonly maxConcurrent: number
}

/** How requests are routed to targets. */
export interface Routing {
  readonly targets: readonly Target[]
  readonly balance: Balance
  readonly sticky: { readonly key: StickyOptions['key'] | undefined; readonly ttlMs: number } | undefined
  readonly retry: ResolvedRetry
  /** `undefined` if it is off. */
  readonly hedge: Required<HedgeOptions> | undefined
  readonly whenAllCooling: 'try' | 'refuse'
  readonly showAlias: boolean
  readonly onAttempt: AiProxyOptions['onAttempt']
}

/** The `retry` option with its defaults. */
export interface ResolvedRetry extends Required<Omit<RetryOptions, 'on' | 'preamble'>> {
  readonly on: readonly RetryReason[]
  readonly preamble: Required<PreambleOptions>
}

/** The options, validated and with their defaults: what the rest of the package reads. */
export interface Config extends Provider {
  /** We hold the provider's credentials, or may: the client's are then not forwarded. */
  readonly holdsCredentials: boolean
  /** The app requires that the client's credentials are forwarded, whatever headers it sets itself. */
  readonly forwardCredentials: boolean
  readonly forwards: HeaderFilter
  readonly limits: ResolvedLimits
  /** Returns the limits of one request, if the app sets them per request. */
  readonly limitsFor: CompiledLimits['forRequest']
  /** `undefined` if the option is not set: the whole process shares one budget. */
  readonly budgetMs: number | undefined
  /** `everyMs` is `Infinity` if the option is `false`. */
  readonly heartbeat: { readonly everyMs: number; readonly beforeFirstByte: boolean }
  readonly onClientDisconnect: 'abort' | 'drain' | 'keep'
  /** `undefined` if streams cannot be continued. */
  readonly resume: ResolvedResume | undefined
  /** `undefined` if no answer is kept for others. */
  readonly cache: ResolvedCache | undefined
  readonly errors: 'respond' | 'next' | OnFailure
  /** `undefined` if the path determines it. */
  readonly format: CompleteFormat | undefined
  readonly includeUsage: boolean
  readonly estimateTokens: AiProxyOptions['estimateTokens']
  readonly models: ModelFilter | undefined
  /** Returns the models of one request, if the option is a function. */
  readonly modelsOf: ModelsOf | undefined
  readonly modelOptions: ModelOptions | undefined
  readonly overload: { readonly maxEventLoopDelayMs: number } | undefined
  readonly onRequest: AiProxyOptions['onRequest']
  /** Requests are checked, or may be changed: we must then read their bodies exactly as the provider will. */
  readonly readsRequests: boolean
  readonly onResponse: AiProxyOptions['onResponse']
  readonly onAnswer: AiProxyOptions['onAnswer']
  readonly onEvent: AiProxyOptions['onEvent']
  /** Returns the app's labels of an exchange, if it has any. */
  readonly labelsOf: LabelsOf | undefined
  /** Asks the app whose request it is. */
  readonly identify: IdentifySubject | undefined
  readonly policies: readonly Policy[]
  /** Prices what was used, if there are prices. */
  readonly costOf: CostOf | undefined
  /** Models that the options list, and that have no price although there are prices. */
  readonly unpriced: readonly string[]
  readonly observers: readonly Observer[]
  readonly onFinish: AiProxyOptions['onFinish']
  readonly hookErrors: HookErrors
  /** Codes of the set-up warnings that the app has turned off. */
  readonly silencedWarnings: ReadonlySet<SetupWarningCode>
  /** `undefined` if there is one target, which is asked once. */
  readonly routing: Routing | undefined
}
