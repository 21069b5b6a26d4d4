import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { ExchangeRecord } from './record.js'
import type { AiProxyStats } from './stats.js'

/** An exchange as an observer sees it begin. */
export interface ObservedExchange<Req extends IncomingMessage = Request> {
  /** A UUID: the one in the record. */
  readonly id: string
  /** The client's request, as Express has it. */
  readonly req: Req
  /** The provider protocol that the client speaks. */
  readonly format: string
  /** The model that the request names. */
  readonly model: string | undefined
  /** Whether the request asks for a stream. */
  readonly stream: boolean
  /** Whose request it is, by the option `identify`; `undefined` without it. */
  readonly subject: string | undefined
  /** The subject's tenant; `undefined` if it has none. */
  readonly tenant: string | undefined
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Host and port of the target that is asked first; the port is always there. */
  readonly host: string
}

/** An attempt at a target, as an observer sees it begin. */
export interface ObservedAttempt {
  /** Name of the target. */
  readonly target: string
  /** Host and port of the target; the port is always there. */
  readonly host: string
  /** The model that it is asked for, as the provider calls it. */
  readonly model: string | undefined
  /** Number of the attempt: 1 for the exchange's first, which is the first of `attempts` in the record. */
  readonly number: number
  /** Whether it is started because another one is slow. */
  readonly hedged: boolean
  /** When it begins, in milliseconds since the epoch. */
  readonly startedAt: number
}

/**
 * Watches a middleware, for metrics and traces. Pass it in the option `observers`. If it throws, `onError` and a process
 * warning report the error, and nothing else changes.
 */
export interface Observer<Req extends IncomingMessage = Request> {
  /** The middleware has been created. */
  onProxy?(proxy: { stats(): AiProxyStats }): void
  /**
   * A request has been admitted and is about to go to the provider.
   *
   * @returns headers to send with it (`traceparent`)
   */
  onRequest?(exchange: ObservedExchange<Req>): Readonly<Record<string, string>> | undefined
  /**
   * An attempt at a target begins. Called only if there may be several: with the options `targets`, `retry` or `onAttempt`.
   * `attempts` of the record shows how it ended.
   *
   * @returns headers to send with this attempt (`traceparent`), instead of those of `onRequest`
   */
  onAttempt?(attempt: ObservedAttempt, exchange: ObservedExchange<Req>): Readonly<Record<string, string>> | undefined
  /** A stream has taken a turn, which lasted `ms` milliseconds. Called very often. */
  onTurn?(ms: number): void
  /** An exchange has ended. Called once for each, even if it was rejected and `onRequest` was never called. */
  onFinish?(record: ExchangeRecord): void
}
