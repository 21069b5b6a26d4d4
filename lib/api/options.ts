import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { Format, FormatName } from '../formats/index.js'
import type { SetupWarningCode } from '../util/warn.js'
import type { CacheOptions } from './cache.js'
import type {
  HookedExchange,
  OnAnswer,
  OnAttempt,
  OnError,
  OnEvent,
  OnFailure,
  OnFinish,
  OnRequest,
  OnResponse,
} from './hooks.js'
import type { Labels } from './labels.js'
import type { LimitsOption } from './limits.js'
import type { ModelFields } from './model-fields.js'
import type { ModelRules } from './model-rules.js'
import type { Observer } from './observer.js'
import type { Policy } from './policy.js'
import type { Prices, UnknownPrice } from './prices.js'
import type { AuthOptions, ProxyOptions } from './provider-options.js'
import type { ResumeOptions } from './resume.js'
import type { Identify } from './subject.js'
import type { Balance, HedgeOptions, RetryOptions, StickyOptions, TargetOptions } from './targets.js'

/** Comments that keep the connection of a silent stream open, and the client patient. */
export interface HeartbeatOptions {
  /** An SSE comment goes out when nothing was sent for this long, in milliseconds. Default 15,000. */
  everyMs?: number
  /**
   * Opens the response as an event stream, with a heartbeat, while the provider is still silent, for requests that ask
   * for a stream. The status is 200 from then on; a later failure becomes an error event. Default `false`.
   */
  beforeFirstByte?: boolean
}

/** Fields that are added to a request, or that replace those of the client. */
export interface ModelOptions {
  /**
   * Fills what the request leaves out, in objects at any depth. `maxOutputTokens` is written in the field that the
   * request's format has for it (`max_tokens`, `generationConfig.maxOutputTokens`, …). Default: none.
   */
  defaults?: ModelFields
  /** Replaces what the request has, in objects at any depth; `maxOutputTokens` as above. Default: none. */
  overrides?: ModelFields
}

/** Text that a model wrote, for an estimate of its tokens. */
export interface WrittenText {
  /** A piece of the answer: the text of an event, or of a whole answer. */
  readonly text: string
  /** The model that answers; until the answer names it, the one that the client asked for. */
  readonly model: string | undefined
}

/** Returns, at once, about how many tokens a text has. */
export type EstimateTokens<Req extends IncomingMessage = Request> = (
  written: WrittenText,
  exchange: HookedExchange<Req>,
) => number

/**
 * Options of {@link aiProxy}.
 *
 * @typeParam Req type of `req` in hooks and functions, with what the app's middlewares add to it. Default: Express's
 *   `Request`.
 */
export interface AiProxyOptions<Req extends IncomingMessage = Request> {
  /** Base URL of the provider, `http:` or `https:`; a path in it is kept as a prefix. Required, unless `targets` is set. */
  target?: string | URL
  /** Several providers, instead of `target`: see {@link TargetOptions}. Default: none. */
  targets?: readonly TargetOptions<Req>[]
  /** Credentials for the provider. Default: none; the client's own are forwarded. */
  auth?: AuthOptions<Req>
  /** Further request headers for the provider. Default: none. */
  headers?: Record<string, string>
  /**
   * Client headers that are forwarded: names (`*` at the end matches any rest), or a function of the lower-case name, which
   * must return `true` or `false` at once. Cookies, hop-by-hop headers and those that give a request another method or URL
   * are never forwarded, and `x-forwarded-*` only if a list names them; the headers that describe the body (`content-type`, …)
   * always are. Default: {@link defaultForwardHeaders} and, with `forwardCredentials`, the client's own credentials.
   */
  forwardHeaders?: readonly string[] | ((name: string, exchange: HookedExchange<Req>) => boolean)
  /**
   * Whether the client's own credentials are forwarded, in headers and in the query. Default: only if the middleware holds
   * none of the provider's: `auth` is not set, and neither `headers` nor `onRequest` sets a header that is not known to be harmless.
   */
  forwardCredentials?: boolean
  /**
   * Provider paths that clients can reach. A string matches under any version prefix, or under any base path if it begins
   * with two asterisks and a slash; `*` matches a part of one path segment, and a method may precede the path
   * (`'GET files/*'`). A RegExp is tested against the whole path (`/v1/files`); how long that takes is up to the RegExp.
   * `'all'` opens everything. Default: {@link defaultEndpoints}, without those for uploads if `models` (also
   * those of a target), `modelOptions` or `onRequest` is set, which cannot look into uploads.
   */
  endpoints?: 'all' | readonly (string | RegExp)[]
  /**
   * What an exchange may use; limits that are not set have their defaults. A function returns those of each request. See
   * {@link Limits}, {@link LimitsPerRequest}.
   */
  limits?: LimitsOption<Req>
  /** How streams share the event loop. Default `{ budgetMs: 0.15 }`. */
  turns?: {
    /**
     * How long the turns of all bursting streams of the process together may run in one round of the event loop, in
     * milliseconds. If the loop is busy with something else, they get as much time as everything else, up to 2 ms, if
     * that is more. Brief turns (a request that goes out, a small answer, an event now and then) have 2 ms of their own,
     * or 1 ms while streams burst. If several middlewares set it, the smallest value counts. Default 0.15.
     */
    budgetMs?: number
  }
  /** Comments that keep a silent stream's connection open; `false` sends none. Default `{ everyMs: 15_000 }`. */
  heartbeat?: HeartbeatOptions | false
  /**
   * What happens to the provider's answer when the client leaves: `'abort'` stops it at once, `'drain'` reads it to its
   * end, within the limits, and `'keep'` goes on reading until nobody has read it for `resume.graceMs`. Default `'abort'`;
   * with `resume`, `'keep'`.
   */
  onClientDisconnect?: 'abort' | 'drain' | 'keep'
  /**
   * Failures before the first byte: `'respond'` answers them, `'next'` hands them to Express, and a function may answer
   * them itself. Default `'respond'`.
   */
  errors?: 'respond' | 'next' | OnFailure<Req>
  /**
   * The provider protocol, if the path does not show it: the name of a built-in format, or a {@link Format} of your own.
   * It then holds for all paths. Default: by the path; OpenAI's chat completions if no format claims the path.
   */
  format?: FormatName | Format
  /**
   * Asks the provider for usage if it reports it only when asked (OpenAI's `stream_options.include_usage`). If the
   * client had not asked, the extra event is taken out of what it gets. Default `true`.
   */
  includeUsage?: boolean
  /**
   * Estimates the tokens of a piece of text that a model wrote, for streams that end before the provider has reported usage.
   * It must return at once. If it is set, every event is parsed. Default: a built-in estimate, without a tokeniser.
   */
  estimateTokens?: EstimateTokens<Req>
  /**
   * Models that may be asked for: names and RegExps, or `'all'`; or a function that returns these for each request, at once
   * or as a promise. A request for another model gets 403 `model_not_allowed`. If the function throws or returns anything
   * else, the client gets 500 `internal_error`, and `onError` gets the reason. Default `'all'`.
   */
  models?: ModelRules | ((req: Req) => ModelRules | Promise<ModelRules>)
  /** Defaults for fields that a request leaves out, and values that it cannot change. Default: none. */
  modelOptions?: ModelOptions
  /** Refuses new streams while the event loop is late. Default `false`. */
  overload?:
    | {
        /** While the event loop is later than this many milliseconds, new streams get 503 `overloaded`. */
        maxEventLoopDelayMs: number
      }
    | false
  /** Reads or replaces a request before it goes out, or answers it itself. Default: none. */
  onRequest?: OnRequest<Req>
  /**
   * Called when the head of the provider's response has arrived. May change status and headers before they go out, or answer
   * instead. Default: none.
   */
  onResponse?: OnResponse<Req>
  /**
   * Gets each JSON answer that is not streamed, errors included, and may replace it. Such an answer is held until it is whole
   * (`limits.maxEventBytes` at most), and parsed. Default: none.
   */
  onAnswer?: OnAnswer<Req>
  /** Gets each event of a stream, and may replace or drop it. Every event is then parsed, which takes CPU time. Default: none. */
  onEvent?: OnEvent<Req>
  /**
   * Labels of the app's own for an exchange: the tenant, the plan, the feature. Called once per exchange, when it ends;
   * observers and `onFinish` find them in `record.labels`. It must return at once. At most 10 labels; their names consist
   * of letters, digits and `_`, 64 characters at most, without a digit at the start; values are cut after 128 characters.
   * If the function throws or returns something else, the exchange has no labels, and `onError` gets the reason.
   * Default: none.
   */
  labels?: (exchange: HookedExchange<Req>) => Labels
  /** Says whose request it is. Default: none; all requests belong to the same tenant. */
  identify?: Identify<Req>
  /**
   * Decide whether a request may go out, when, and how far its answer may go: see {@link Policy}, `express-ai-proxy/quota` and
   * `express-ai-proxy/queue`. Default: none.
   */
  policies?: readonly Policy<Req>[]
  /**
   * What tokens cost, for `record.cost`, metrics and limits on money: a table by model, or a function; see
   * `express-ai-proxy/prices` for a table that others maintain. Default: none.
   */
  prices?: Prices
  /** The price of a model that `prices` does not know. Default `'refuse'`. */
  unknownPrice?: UnknownPrice
  /** Lets clients continue a stream after their connection broke: see {@link ResumeOptions}. Default `false`. */
  resume?: ResumeOptions<Req> | false
  /** Keeps answers for later requests that are equal: see {@link CacheOptions}. Default `false`. */
  cache?: CacheOptions<Req> | false
  /**
   * While a request is under way, gives its answer to all requests that the cache cannot tell from it. Needs `cache`. Default
   * `false`.
   */
  joinIdentical?: boolean
  /** Metrics and traces: see `express-ai-proxy/prometheus` and `express-ai-proxy/opentelemetry`. Default: none. */
  observers?: readonly Observer<Req>[]
  /** Called once per exchange, whatever happened. What it throws goes to `onError`. Default: none. */
  onFinish?: OnFinish<Req>
  /**
   * Called with what the app's own code threw, or with a TypeError if it returned or set an invalid value: in the hooks
   * above, in functions for `auth`, `limits`, `models`, `labels` and `forwardHeaders`, in `estimateTokens`, in a `format`, and in
   * observers. A process warning (`AI_PROXY_HOOK_THREW`) shows each as well, with its stack, at most once a minute. An
   * error with a status that a hook throws to refuse a request is not reported. Default: none.
   */
  onError?: OnError<Req>
  /**
   * Process warnings about a set-up in which streams do not work as they should. `false` turns all of them off, and an object
   * those that it names: `{ AI_PROXY_TRUST_PROXY: false }`. Default `true`.
   */
  warnings?: boolean | Partial<Readonly<Record<SetupWarningCode, boolean>>>
  /** Options for http-proxy-middleware, and for the connections that it makes. Default: see {@link ProxyOptions}. */
  proxy?: ProxyOptions
  /** How requests are shared among the targets of one priority. Default `'weighted'`. */
  balance?: Balance<Req>
  /** Sends requests that share a prompt to one target, whose prompt cache then has it. Default `false`. */
  sticky?: StickyOptions<Req> | false
  /**
   * How often, when and why a request that failed before the client got any of its answer is tried again. Default: with
   * `targets` as in {@link RetryOptions}; with one `target`, `false`.
   */
  retry?: RetryOptions | false
  /** Asks the next target if the first one is slow, and takes the faster answer. Default `false`. */
  hedge?: HedgeOptions | false
  /**
   * What happens if all targets are cooling: `'try'` asks the one whose cooling ends first, `'refuse'` answers 503
   * `no_target` with `retry-after`. Default `'try'`.
   */
  whenAllCooling?: 'try' | 'refuse'
  /** Replaces the provider's name of the model by the client's in answers. Default `false`. */
  showAlias?: boolean
  /** Gets each attempt's request before it goes out, to sign it or to change its headers. Default: none. */
  onAttempt?: OnAttempt<Req>
}
