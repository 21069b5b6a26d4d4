import type { IncomingMessage } from 'node:http'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { AiProxyError, isA, toFailure } from './api/errors.js'
import type { AiProxyOptions } from './api/options.js'
import type { ExchangeSnapshot } from './api/record.js'
import type { AiProxyStats } from './api/stats.js'
import { Exchange } from './exchange/exchange.js'
import { HeldBytes } from './exchange/held-bytes.js'
import { Observers } from './exchange/observers.js'
import { ExchangeRegistry } from './exchange/registry.js'
import type { ProxyContext } from './handle/context.js'
import { handleRequest } from './handle/handle-request.js'
import { SetupWarnings } from './handle/setup-warnings.js'
import type { Config } from './options/config.js'
import { defaults } from './options/defaults.js'
import { AsyncFilterError } from './options/forward-headers.js'
import { resolveOptions } from './options/resolve.js'
import { check, objectOf } from './options/validate.js'
import { BodyConsumedError } from './request/parsed-body.js'
import { UsageRefusals } from './request/usage-refusals.js'
import { type ResponseCallbacks, ResponseController } from './response/response-controller.js'
import { OverloadGuard } from './scheduling/overload.js'
import { sharedTurns } from './scheduling/turns.js'
import { createUpstreamProxy } from './upstream/proxy.js'
import { debug } from './util/debug.js'

/** The middleware, with a view of what it does. */
export interface AiProxy extends RequestHandler, AsyncDisposable {
  /** Lists the exchanges under way, oldest first. */
  exchanges(): readonly ExchangeSnapshot[]
  /** Counters and gauges since the start. */
  stats(): AiProxyStats
  /**
   * Ends one exchange, as a limit would: the provider is stopped, and the client gets an error (503, or an error event).
   * Its record has the outcome `rejected` and the code `aborted`.
   *
   * @param id of `exchanges()`, of the record, of a hook's `exchange`
   * @returns whether it was under way
   */
  abort(id: string): boolean
  /**
   * Stops taking requests (503 `shutting_down`), lets those under way end, and ends those that still run after
   * `graceMs` milliseconds.
   *
   * @param options.graceMs milliseconds, at least 0; default 10,000
   * @returns a promise that resolves when none is left
   * @throws TypeError where `graceMs` is not a number of at least 0
   */
  close(options?: { graceMs?: number }): Promise<void>
  /** Calls `close()`: `await using proxy = aiProxy(…)` closes the middleware at the end of its block. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Express middleware that puts a streaming LLM API behind the route that it is mounted on.
 *
 * @typeParam Req type of `req` in hooks and functions. Default: Express's `Request`
 * @throws TypeError where an option is wrong: it names the option, what it got and what it takes
 */
export function aiProxy<Req extends IncomingMessage = Request>(options: AiProxyOptions<Req>): AiProxy {
  // What `Req` adds to a request is between the app's middlewares and its functions: the type is all that it changes.
  const config = resolveOptions(options as unknown as AiProxyOptions)
  const turns = sharedTurns(config.budgetMs)
  const ledger = new ExchangeRegistry()
  const house: ProxyContext = {
    config,
    turns,
    ledger,
    upstream: createUpstreamProxy(config.origin, config.proxy, config.limits.maxConcurrentExchanges),
    observers: new Observers(config.observers, config.origin, config.hookErrors),
    warnings: new SetupWarnings(config.silencedWarnings),
    usageRefusals: new UsageRefusals(),
    held: new HeldBytes(config.limits),
    overload: config.overload && new OverloadGuard(config.overload.maxEventLoopDelayMs),
  }

  const events: ResponseCallbacks = {
    onStream: (exchange) => {
      if (!exchange.countsAsStream) ledger.admitStream(exchange, exchange.limits)
    },
    onTurn: house.observers.onTurn,
    onUnflushable: () => house.warnings.tell('AI_PROXY_CANNOT_FLUSH'),
    onOver: (exchange) => conclude(exchange, house),
  }

  const handler = (req: Request, res: Response, next: NextFunction): void => {
    const exchange = new Exchange(req, res, next, config.limits)
    const delivery = new ResponseController(exchange, config, turns, events)
    ledger.begin(exchange, delivery)
    handleRequest(exchange, delivery, house).catch((thrown) => {
      // Work that is given up because the exchange is over is no failure of its own.
      if (exchange.isSettled && isA(AiProxyError, thrown) && thrown.code === 'aborted') return
      if (isA(BodyConsumedError, thrown)) house.warnings.tell('AI_PROXY_BODY_CONSUMED')
      if (isA(AsyncFilterError, thrown)) house.warnings.tell('AI_PROXY_ASYNC_FORWARD_HEADERS')
      delivery.fail(toFailure(thrown))
    })
  }

  const close = async (given: { graceMs?: number } = {}): Promise<void> => {
    const { graceMs = defaults.close.graceMs } = objectOf('close', given, ['graceMs'])
    await ledger.close(check.number('close.graceMs', graceMs, { from: 0 }))
    house.upstream.close()
    house.overload?.close()
  }
  const stats = () => ledger.stats(turns.waiting, house.held.count)
  house.observers.onProxy(stats)
  const abort = (id: string) => ledger.abort(id)
  const exchanges = () => ledger.snapshots()
  return Object.assign(handler, { exchanges, stats, abort, close, [Symbol.asyncDispose]: () => close() })
}

/** The exchange is over, however it went: it is counted and told, once. */
function conclude(exchange: Exchange, { config, ledger, observers }: ProxyContext): void {
  exchange.held?.release()
  const record = exchange.record()
  ledger.end(exchange, record)
  observers.onFinish(record)
  const { id, outcome, code, status, durationMs, events, downstreamBytes } = record
  debug.stream(
    '%s %s %s after %d ms: status %s, %d events, %d bytes',
    id,
    outcome,
    code ?? '',
    durationMs,
    status,
    events,
    downstreamBytes,
  )
  void tell(exchange, record, config)
}

async function tell(exchange: Exchange, record: ReturnType<Exchange['record']>, config: Config): Promise<void> {
  try {
    await config.onFinish?.(record, exchange.req, exchange.res)
  } catch (error) {
    config.hookErrors.report('onFinish', error, exchange.hookView())
  }
}
