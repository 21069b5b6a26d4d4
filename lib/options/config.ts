import type { ResolvedLimits } from '../api/limits.js'
import type { Observer } from '../api/observer.js'
import type { AiProxyOptions, Credential, ModelOptions, ProxyOptions } from '../api/options.js'
import type { CompleteFormat } from '../formats/index.js'
import type { SetupWarningCode } from '../util/warn.js'
import type { EndpointFilter } from './endpoints.js'
import type { HeaderFilter } from './forward-headers.js'
import type { HookErrors } from './hook-errors.js'
import type { CompiledLimits } from './limits.js'
import type { ModelFilter, ModelsOf } from './models.js'
/** The options, checked and completed: what the rest of the package reads. */
export interface Config {
  /** Scheme, host and port of the provider. */
  readonly origin: string
  /** Path prefix of the target, without a slash at its end. */
  readonly prefix: string
  readonly auth: { readonly headers: [string, Credential][]; readonly query: [string, Credential][] }
  /** We hold the provider's credentials, or may: the client's stay here. */
  readonly holdsCredentials: boolean
  /** The app says that the client's credentials go on, whatever headers it sets itself. */
  readonly forwardCredentials: boolean
  readonly headers: [string, string][]
  readonly forwards: HeaderFilter
  readonly endpoints: EndpointFilter
  readonly limits: ResolvedLimits
  /** Gives the limits of one request, if the app has set them by request. */
  readonly limitsFor: CompiledLimits['forRequest']
  /** `undefined` where the option is not set: it is shared by the whole process. */
  readonly budgetMs: number | undefined
  /** `everyMs` is `Infinity` if the option is `false`. */
  readonly heartbeat: { readonly everyMs: number; readonly beforeFirstByte: boolean }
  readonly onClientDisconnect: 'abort' | 'drain'
  readonly errors: 'respond' | 'next'
  /** `undefined` where the path tells it. */
  readonly format: CompleteFormat | undefined
  readonly includeUsage: boolean
  readonly estimateTokens: AiProxyOptions['estimateTokens']
  readonly models: ModelFilter | undefined
  /** Finds them for each request, if the option is a function. */
  readonly modelsOf: ModelsOf | undefined
  readonly modelOptions: ModelOptions | undefined
  readonly overload: { readonly maxEventLoopDelayMs: number } | undefined
  readonly onRequest: AiProxyOptions['onRequest']
  /** What a request asks for is checked, or may be changed: its body must be understood as the provider will. */
  readonly readsRequests: boolean
  readonly onResponse: AiProxyOptions['onResponse']
  readonly onEvent: AiProxyOptions['onEvent']
  readonly observers: readonly Observer[]
  readonly onFinish: AiProxyOptions['onFinish']
  readonly hookErrors: HookErrors
  /** The codes of the set-up warnings that the app has turned off. */
  readonly silencedWarnings: ReadonlySet<SetupWarningCode>
  readonly proxy: ProxyOptions
}
