import type { IncomingMessage } from 'node:http'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import type { AnswerCache } from './api/cache.js'
import type { AiProxyOptions } from './api/options.js'
import type { ExchangeRecord, ExchangeSnapshot } from './api/record.js'
import type { AiProxyStats, PolicyFigures } from './api/stats.js'
import { Exchange } from './exchange/exchange.js'
import { HeldBytes } from './exchange/held-bytes.js'
import { Observers } from './exchange/observers.js'
import { figuresOf } from './exchange/policy-figures.js'
import { recordOf } from './exchange/record-of.js'
import { ExchangeRegistry } from './exchange/registry.js'
import { AnswerOwners } from './handle/answer-owners.js'
import { Arrival } from './handle/arrival.js'
import { ChargedAnswers } from './handle/charged-answers.js'
import type { ProxyContext } from './handle/context.js'
import { settlePolicies } from './handle/exchange-policies.js'
import { createJournals, createKeptAnswers } from './handle/journals.js'
import { endsPipeline, isBehindClosedPipeline } from './handle/pipeline.js'
import { SetupWarnings } from './handle/setup-warnings.js'
import { StreamReaders } from './handle/stream-readers.js'
import { TargetPool } from './handle/target-pool.js'
import type { Config } from './options/config.js'
import { defaults } from './options/defaults.js'
import { resolveOptions } from './options/resolve.js'
import { check, objectOf } from './options/validate.js'
import { UsageRefusals } from './request/usage-refusals.js'
import { ResponseController } from './response/response-controller.js'
import { OverloadGuard } from './scheduling/overload.js'
import { sharedTurns } from './scheduling/turns.js'
import { createUpstreamProxy } from './upstream/proxy.js'
import { debug } from './util/debug.js'
import { shareHiddenClasses } from './util/hidden-class.js'

/** The middleware, with methods to observe and end its exchanges. */
export interface AiProxy extends RequestHandler, AsyncDisposable {
  /** Lists the exchanges under way, oldest first. */
  exchanges(): readonly ExchangeSnapshot[]
  /** The answers that the option `cache` keeps. */
  readonly cache: AnswerCache
  /** Returns counters and gauges since the start. */
  stats(): AiProxyStats
  /**
   * Ends one exchange as a limit would: stops the provider, and sends the client an error (503, or an error event). The
   * record has the outcome `rejected` and the code `aborted`.
   *
   * @param id the one in `exchanges()`, in the record, or in a hook's `exchange`
   * @returns whether it was under way
   */
  abort(id: string): boolean
  /**
   * Stops sending requests to a target for a while. Exchanges under way continue.
   *
   * @param name of the target
   * @param ms milliseconds, above 0
   * @throws TypeError if there is no such target
   */
  cool(name: string, ms: number): void
  /**
   * Sends requests to a target again, whatever made it cool.
   *
   * @param name of the target
   * @throws TypeError if there is no such target
   */
  warm(name: string): void
  /**
   * Stops accepting requests (503 `shutting_down`), lets those under way end, and ends those that still run after
   * `graceMs` milliseconds.
   *
   * @param options.graceMs milliseconds, at least 0; default 10,000
   * @returns a promise that resolves when none is left
   * @throws TypeError if `graceMs` is not a number of at least 0
   */
  close(options?: { graceMs?: number }): Promise<void>
  /** Calls `close()`: `await using proxy = aiProxy(…)` closes the middleware at the end of its block. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Creates Express middleware that proxies a streaming LLM API at the route where it is mounted.
 *
 * @typeParam Req type of `req` in hooks and functions. Default: Express's `Request`
 * @throws TypeError if an option is invalid; the message names the option, what it got and what it takes
 */
export function aiProxy<Req extends IncomingMessage = Request>(options: AiProxyOptions<Req>): AiProxy {
  // `Req` describes what the app's middlewares add to a request. It changes only types.
  const config = resolveOptions(options as unknown as AiProxyOptions)
  const turns = sharedTurns(config.budgetMs)
  const registry = new ExchangeRegistry()
  const warnings = new SetupWarnings(config.silencedWarnings)
  if (config.unpriced.length > 0) warnings.report('AI_PROXY_PRICE_UNKNOWN', config.unpriced.join(', '))
  const targets = config.routing && new TargetPool(config, config.routing)
  const provider = targets?.first ?? {
    config,
    upstream: createUpstreamProxy(config.origin, config.proxy, config.limits.maxConcurrentExchanges),
    usageRefusals: new UsageRefusals(),
  }
  const journals = createJournals(config)
  const context: ProxyContext = {
    config,
    provider,
    targets,
    turns,
    registry,
    observers: new Observers(config.observers, config.hookErrors),
    warnings,
    journals,
    readers: new StreamReaders(),
    owners: config.resume && journals.resume && new AnswerOwners(journals.resume, config.resume),
    charged: new ChargedAnswers(),
    answers: createKeptAnswers(config, journals),
    held: new HeldBytes(config.limits),
    overload: config.overload && new OverloadGuard(config.overload.maxEventLoopDelayMs),
    onUnflushable: () => warnings.report('AI_PROXY_CANNOT_FLUSH'),
    onMissingCodec: () => warnings.report('AI_PROXY_NO_EVENTSTREAM_CODEC'),
    // A timer may notice the end, or a connection: neither has the request's context.
    onEnd: (exchange) => exchange.asyncContext.runInAsyncScope(conclude, undefined, exchange, context),
  }

  const handler = (req: Request, res: Response, next: NextFunction): void => {
    if (isBehindClosedPipeline(req)) return
    shareHiddenClasses(req, res)
    const exchange = new Exchange(req, res, next, config.limits)
    const controller = new ResponseController(exchange, context)
    registry.begin(exchange, controller)
    if (!endsPipeline(exchange)) turns.arrive(new Arrival(exchange, controller, context))
  }

  const close = async (given: { graceMs?: number } = {}): Promise<void> => {
    const { graceMs = defaults.close.graceMs } = objectOf('close', given, ['graceMs'])
    await registry.close(check.number('close.graceMs', graceMs, { from: 0 }))
    provider.upstream.close()
    targets?.close()
    context.overload?.close()
    await closePolicies(config)
    await context.journals.close()
  }
  const stats = () =>
    registry.stats(turns.waiting, context.held.count, targets?.stats(), allFiguresOf(config), {
      cache: context.answers?.counts,
      journal: journals.stats(),
    })
  context.observers.onProxy(stats)
  const cache: AnswerCache = {
    delete: async (which) => {
      if (!context.answers) throw new TypeError('aiProxy: cache.delete() needs the option `cache`')
      return context.answers.delete(which)
    },
  }
  const abort = (id: string) => registry.abort(id)
  const exchanges = () => registry.snapshots()
  const cool = (name: string, ms: number) =>
    routed(targets, 'cool').cool(name, check.number('cool(name, ms)', ms, { above: 0 }))
  const warm = (name: string) => routed(targets, 'warm').warm(name)
  return Object.assign(handler, {
    exchanges,
    stats,
    cache,
    abort,
    cool,
    warm,
    close,
    [Symbol.asyncDispose]: () => close(),
  })
}

/** @throws TypeError if there is one target, which is asked whatever happens */
function routed(targets: TargetPool | undefined, method: string): TargetPool {
  if (!targets) throw new TypeError(`aiProxy: ${method}() needs the option \`targets\``)
  return targets
}

/** Returns the figures of the policies that have any. What one of them throws is reported. */
function allFiguresOf({ policies, hookErrors }: Config): readonly PolicyFigures[] {
  return policies.flatMap((policy) => {
    try {
      return figuresOf(policy) ?? []
    } catch (error) {
      hookErrors.report('policies', error)
      return []
    }
  })
}

/** Lets policies give up what they hold beyond single exchanges. */
async function closePolicies({ policies, hookErrors }: Config): Promise<void> {
  for (const policy of policies) {
    try {
      await policy.close?.()
    } catch (error) {
      hookErrors.report('policies', error)
    }
  }
}

/** Counts and reports an exchange that has ended, once. */
function conclude(exchange: Exchange, { config, registry, observers, answers, owners, charged }: ProxyContext): void {
  exchange.held?.release()
  owners?.note(exchange)
  charged.note(exchange)
  const record = recordOf(exchange, config.labelsOf?.(exchange.hookView()), config.costOf)
  registry.end(exchange, record)
  exchange.onEnd?.(record)
  if (record.cache) answers?.count(record.cache)
  settlePolicies(exchange, record)
  observers.onFinish(record)
  const { id, outcome, code, status, durationMs, events, downstreamBytes } = record
  debug.stream(
    '%s %s after %d ms: status %s, %d events, %d bytes',
    id,
    code ? `${outcome} ${code}` : outcome,
    Math.round(durationMs),
    status ?? 'none',
    events,
    downstreamBytes,
  )
  void callOnFinish(exchange, record, config)
}

async function callOnFinish(exchange: Exchange, record: ExchangeRecord, config: Config): Promise<void> {
  try {
    await config.onFinish?.(record, exchange.hookView())
  } catch (error) {
    config.hookErrors.report('onFinish', error, exchange.hookView())
  }
}
