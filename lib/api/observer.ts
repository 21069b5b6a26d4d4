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
  /** The request asks for a stream. */
  readonly stream: boolean
  /** When it began, in milliseconds since the epoch. */
  readonly startedAt: number
  /** Host and port of the target; the port always. */
  readonly host: string
}

/**
 * Watches a middleware: metrics, traces. Given with the option `observers`; what it throws is caught, goes to `onError`
 * and into a process warning, and changes nothing.
 */
export interface Observer<Req extends IncomingMessage = Request> {
  /** The middleware has been made. */
  onProxy?(proxy: { stats(): AiProxyStats }): void
  /**
   * A request has been admitted and is about to go to the provider.
   *
   * @returns headers to send with it (`traceparent`)
   */
  onRequest?(exchange: ObservedExchange<Req>): Readonly<Record<string, string>> | undefined
  /** A stream has taken a turn, which lasted `ms` milliseconds. Called very often. */
  onTurn?(ms: number): void
  /** An exchange has ended; once for each, also for those that were rejected and never had an `onRequest`. */
  onFinish?(record: ExchangeRecord): void
}
