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
  /** Whether the request can make a model generate. Requests for lists of models, files and the like cannot. */
  readonly generates: boolean
  /**
   * The most tokens that the answer can have: what the request allows, for all its choices together, or `limits.maxOutputTokens`
   * if that is less. `undefined` if neither sets a maximum.
   */
  readonly maxOutputTokens: number | undefined
  /** Output tokens of the answer so far, with reasoning: as reported, plus an estimate of what came since. */
  readonly generatedTokens: number
  /** Tokens of the answer so far, in parts that do not overlap; `undefined` if nothing is known yet. */
  readonly tokens: Tokens | undefined
  /** The tokens that the provider has reported so far; `undefined` if it has reported none. */
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
   * Whether a target that can serve the request has room for it now, besides the places that exchanges hold; always `true`
   * with a single target.
   */
  hasCapacity(): boolean
  /** Holds a place at the targets until the request goes out, or the exchange ends: `hasCapacity()` of others takes it into account. */
  holdCapacity(): void
  /** Calls back each time a target may have room again. @returns a function that stops this */
  onCapacity(callback: () => void): () => void
  /**
   * Announces that the client is about to wait. If `heartbeat.beforeFirstByte` is set, a stream is opened now and gets heartbeats;
   * a refusal is then an error event.
   */
  keepsWaiting(): void
}

/** A refusal of a policy. */
export interface Refusal {
  /** A {@link FailureCode}, or one of the policy's own that begins with `x_`. Default `policy_refused`. */
  readonly code?: AnyFailureCode | undefined
  /** One sentence for the client, without secrets. */
  readonly message: string
  /** HTTP status, from 400 to 599, while nothing has gone out. Default: the code's own status; 403 for codes of the policy's own. */
  readonly status?: number | undefined
  /** Response headers, such as `retry-after`. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** A policy's decision on a request: nothing, or headers for the answer, if it passes; or why it does not. */
export type Admission =
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: it is what a function without a return statement returns
  | void
  | {
      /** Headers for the answer, which replace the provider's. None may describe the body. */
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
 * A policy releases in `settle` what it acquires in `admit`: `settle` is called once for each exchange for which `admit` was
 * called, whatever happened to it, and not before `admit` has returned. If an exchange gets the answer of another (options
 * `cache` and `joinIdentical`), it is called before the first event of that answer goes out, because the exchange asks no
 * provider; `settleShared` follows at its end.
 */
export interface Policy<Req extends IncomingMessage = Request> {
  /** For messages and the debug log. */
  readonly name: string
  /**
   * Called once per exchange, after the request has been read, checked and edited, and before anything goes out. It may wait;
   * `exchange.signal` then tells when the client has left. If it throws, the request is refused with 500 `policy_failed`.
   */
  admit?(exchange: PolicyExchange<Req>): Admission | Promise<Admission>
  /**
   * Called after each turn in which events of a stream have gone out; see {@link PolicyExchange.watchFrom}. Must return at once.
   * If it throws, the stream ends with `policy_failed`.
   *
   * @returns why the stream ends here
   */
  progress?(exchange: PolicyExchange<Req>): Refusal | undefined
  /**
   * Called with the exchange's record. If it throws, `onError` gets the error. If `record.cache` is `hit` or `join`, there is no
   * usage, `cost` is 0, and the record may show the moment at which that answer began: `outcome` is then `completed`, and the
   * app's labels are unknown.
   */
  settle?(record: ExchangeRecord, exchange: PolicyExchange<Req>): void | Promise<void>
  /**
   * Called once for each exchange that got a kept answer, or that of another exchange, when it has ended, whether or not `admit`
   * was called for it. It holds nothing by now. The record has no usage, so that nobody is charged by mistake for what
   * another has paid; `exchange.tokens` are those of the answer. If this throws, `onError` gets the error.
   */
  settleShared?(record: ExchangeRecord, exchange: PolicyExchange<Req>): void | Promise<void>
  /** Returns counters and gauges of its own, by names of letters, digits and `_`, for `stats().policies` and for metrics. */
  figures?(): Readonly<Record<string, number>>
  /** Called by `close()` of the middleware, once no exchange is left. */
  close?(): void | Promise<void>
}
