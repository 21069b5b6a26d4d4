export { type AiProxy, aiProxy } from './ai-proxy.js'
export type { AttemptCode, AttemptRecord, TargetStats } from './api/attempt-record.js'
export type { AnswerCache, CacheableRequest, CachedAnswer, CacheOptions, CachePace } from './api/cache.js'
export { AiProxyError, type AnyFailureCode, type FailureCode, type Outcome } from './api/errors.js'
export type {
  AttemptRequest,
  HookAnswer,
  HookedAnswer,
  HookedExchange,
  HookedRequest,
  HookedResponse,
  HookName,
  OnAnswer,
  OnAttempt,
  OnError,
  OnEvent,
  OnFailure,
  OnFinish,
  OnRequest,
  OnResponse,
  StreamEvent,
} from './api/hooks.js'
export type { Labels } from './api/labels.js'
export type { Limits, LimitsOption, LimitsPerRequest, RequestLimits } from './api/limits.js'
export type { ModelFields } from './api/model-fields.js'
export type { ModelRules } from './api/model-rules.js'
export type { ObservedAttempt, ObservedExchange, Observer } from './api/observer.js'
export type { AiProxyOptions, EstimateTokens, HeartbeatOptions, ModelOptions, WrittenText } from './api/options.js'
export type { Admission, Policy, PolicyExchange, Refusal } from './api/policy.js'
export type { ModelPrices, PricedUsage, PriceFunction, Prices, UnknownPrice } from './api/prices.js'
export type { AuthOptions, Credential, ProxyOptions } from './api/provider-options.js'
export type { ExchangeRecord, ExchangeSnapshot, Phase, RecordedUsage } from './api/record.js'
export type { ResumeOptions } from './api/resume.js'
export type { AiProxyStats, CacheStats, PolicyFigures } from './api/stats.js'
export type { Identify, Subject } from './api/subject.js'
export type {
  Balance,
  BalanceFunction,
  HedgeOptions,
  ModelAliases,
  PreambleOptions,
  RetryOptions,
  RetryReason,
  StickyOptions,
  TargetCandidate,
  TargetModels,
  TargetOptions,
} from './api/targets.js'
export {
  type AnswerHeaders,
  type AnyFormatName,
  type ChoiceState,
  type Counting,
  type CustomFormatName,
  type FailureNotice,
  type FieldPath,
  type Format,
  type FormatName,
  type JsonObject,
  type MessageOfFormat,
  type ParsedMessage,
  type Place,
  type Progress,
  type StreamState,
  type TextPlace,
  type Tokens,
  textOf,
  type Usage,
  type WholeItem,
  withText,
} from './formats/index.js'
export { type Framer, type Framing, framings, type Message } from './framing/index.js'
export { hashedKeys } from './identity/hashed-keys.js'
export { type NewKey, newKey } from './identity/new-key.js'
export { defaultEndpoints } from './options/default-endpoints.js'
export { defaultForwardHeaders } from './options/forward-headers.js'
export type { SetupWarningCode } from './util/warn.js'
