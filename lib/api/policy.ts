import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { Tokens } from '../formats/tokens.js'
import type { AnyFailureCode } from './errors.js'
import type { HookedExchange } from './hooks.js'
import type { ExchangeRecord } from './record.js'

/** An exchange as a policy sees it: what hooks see, and what it may use. */
export interface PolicyExchange<Req extends IncomingMessage = Request> extends HookedExchange<Req> {
  /** Bytes of the request's body, as they go to the provider. */
  readonly requestBytes: number
  /** The request's JSON, with `modelOptions` and `onRequest` applied; `undefined` if it is not known. Not to be changed. */
  readonly body: unknown
  /** Whether the request can make a model generate. Requests for lists of models, files and the like do not. */
  readonly generates: boolean
  /**
   * The most tokens that the answer can have: what the request allows, for all its choices together, or `limits.maxOutputTokens`
   * if that is less. `undefined` if neither says.
   */
  readonly maxOutputTokens: number | undefined
  /** Output tokens of the answer so far, with reasoning: as reported, plus our estimate since then. */
  readonly generatedTokens: number
  /** Tokens of the answer so far, in parts that do not overlap; `undefined` if nothing is known yet. */
  readonly tokens: Tokens | undefined
  /** Those of them that the provider has reported; `undefined` if it has reported none. */
  readonly reportedTokens: Tokens | undefined
  /** Answers that the request asks for at once (`n`). */
  readonly answers: number
  /**
   * Returns what tokens of this request's model cost, by the option `prices`.
   *
   * @returns `undefined` if there are no prices, or the model has none
   */
  price(tokens: Tokens): number | undefined
  /**
   * From this many generated tokens on, `progress` is called after each event of a stream and before the next one, not only
   * after each turn, which may pass hundreds. Default: never.
   */
  watchFrom(generatedTokens: number): void
  /**
   * Pauses a stream until a promise that `progress` cannot await has settled: no further event goes out, and the provider is
   * not read. The timers of the limits on silence are stopped meanwhile.
   *
   * @returns a function that lets the stream go on; it must be called
   */
  pause(): () => void
  /** Whether all targets that can serve the request have a `maxConcurrent`. */
  readonly isBoundByTargets: boolean
  /**
   * Whether a target that can serve the request takes another one now, besides those for which exchanges hold a place; always
   * `true` with a single target.
   */
  hasCapacity(): boolean
  /** Holds a place at the targets until the request goes out, or the exchange ends: `hasCapacity()` of others counts it. */
  holdCapacity(): void
  /** Calls back each time a target may take more than before. @returns a function that stops this */
  onCapacity(callback: () => void): () => void
  /**
   * Says that the client is about to wait. If `heartbeat.beforeFirstByte` is set, a stream is opened now and gets heartbeats;
   * a refusal is then an error event.
   */
  keepsWaiting(): void
}

/** What a policy does not let pass. */
export interface Refusal {
  /** A {@link FailureCode}, or one of the policy's own that begins with `x_`. Default `policy_refused`. */
  readonly code?: AnyFailureCode | undefined
  /** One sentence for the client, without secrets. */
  readonly message: string
  /** HTTP status, from 400 to 599, while nothing has gone out. Default: the code's own; of the policy's own codes 403. */
  readonly status?: number | undefined
  /** Response headers, such as `retry-after`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** What a policy says of a request: nothing or headers for the answer if it passes, or why it does not. */
export type Admission =
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: it is what a function without a return statement returns
  | void
  | {
      /** Headers for the answer; they win over the provider's. None that describes its body. */
      readonly headers: Readonly<Record<string, string>>
    }
  | {
      /** Why the request does not pass. */
      readonly refuse: Refusal
    }

/**
 * Decides on requests: whether they may go out, and how far their answers may go. Policies are asked in the order of the
 * option `policies`; after the first refusal no further policy is asked.
 *
 * What a policy acquires in `admit` it gives back in `settle`: that is called once for each exchange for which `admit` was
 * called, whatever happened to it, and not before `admit` has returned. Of an exchange that gets the answer of another
 * (options `cache` and `joinIdentical`) it is called before the first event of that goes out, since it asks no provider;
 * `settleShared` follows at its end.
 */
export interface Policy<Req extends IncomingMessage = Request> {
  /** For messages and the debug log. */
  readonly name: string
  /**
   * Called once per exchange, after the request has been read, checked and edited, and before anything goes out. May wait; then
   * `exchange.signal` says when the client has left. What it throws refuses the request with 500 `policy_failed`.
   */
  admit?(exchange: PolicyExchange<Req>): Admission | Promise<Admission>
  /**
   * Called after each turn in which events of a stream have gone out; see {@link PolicyExchange.watchFrom}. Must return at once.
   * What it throws ends the stream with `policy_failed`.
   *
   * @returns why the stream ends here
   */
  progress?(exchange: PolicyExchange<Req>): Refusal | undefined
  /**
   * Called with what has become of the exchange. What it throws goes to `onError`. If `record.cache` is `hit` or `join`, there is
   * no usage, `cost` is 0, and the record may be of the moment at which that answer began: `outcome` is `completed` then, and
   * the app's labels are not known.
   */
  settle?(record: ExchangeRecord, exchange: PolicyExchange<Req>): void | Promise<void>
  /**
   * Called once for each exchange that got a kept answer, or that of another exchange, when it has ended, whether `admit` was
   * called for it or not. It holds nothing by now. The record has no usage, so that nobody is charged by mistake for what
   * another has paid; `exchange.tokens` are those of the answer. What this throws goes to `onError`.
   */
  settleShared?(record: ExchangeRecord, exchange: PolicyExchange<Req>): void | Promise<void>
  /** Returns counters and gauges of its own, by names of letters, digits and `_`, for `stats().policies` and for metrics. */
  figures?(): Readonly<Record<string, number>>
  /** Called by `close()` of the middleware, once no exchange is left. */
  close?(): void | Promise<void>
}
