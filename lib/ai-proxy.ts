import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { check, objectOf } from './check.js'
import { type Config, resolveOptions } from './config.js'
import { debug } from './debug.js'
import { AiProxyError, limitFailure, toFailure } from './errors.js'
import { Exchange, type ExchangeSnapshot, formatOf } from './exchange.js'
import type { HookAnswer } from './hooks.js'
import { type AiProxyStats, Ledger } from './ledger.js'
import { Observers } from './observers.js'
import type { AiProxyOptions } from './options.js'
import { OverloadGuard } from './overload.js'
import { readBody } from './request/body.js'
import { editedRequest } from './request/edit.js'
import { admitEndpoint } from './request/endpoints.js'
import { isFramingHeader } from './request/headers.js'
import { BodyConsumedError } from './request/parsed-body.js'
import { providerPath } from './request/provider-path.js'
import { takesJson } from './request/takes-json.js'
import { upstreamRequest } from './request/upstream-request.js'
import { SetupWarnings } from './setup-warnings.js'
import { Delivery } from './stream/delivery.js'
import { hasDeparted } from './stream/departure.js'
import { sharedTurns, type TurnScheduler } from './stream/turns.js'
import { Attempt } from './upstream/attempt.js'
import { createUpstreamProxy, type UpstreamProxy } from './upstream/proxy.js'
import type { UpstreamRequest } from './upstream/stand-ins.js'

/** The middleware, with a view of what it does. */
export interface AiProxy extends RequestHandler {
  /** The exchanges under way, oldest first. */
  readonly exchanges: readonly ExchangeSnapshot[]
  /** Counters and gauges since the start. */
  stats(): AiProxyStats
  /**
   * Ends one exchange, as a limit would: the provider is stopped, and the client gets an error (503, or an error event).
   * Its record has the outcome `rejected` and the code `aborted`.
   *
   * @param id of `exchanges`, of the record, of a hook's `exchange`
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
}

/**
 * Express middleware that puts a streaming LLM API behind the route that it is mounted on.
 *
 * @throws TypeError where an option is wrong: it names the option, what it got and what it takes
 */
export function aiProxy(options: AiProxyOptions): AiProxy {
  const config = resolveOptions(options)
  const turns = sharedTurns(config.budgetMs)
  const ledger = new Ledger()
  const house: House = {
    config,
    turns,
    ledger,
    upstream: createUpstreamProxy(config.origin, config.proxy),
    observers: new Observers(config.observers, config.origin),
    warnings: new SetupWarnings(),
    overload: config.overload && new OverloadGuard(config.overload.maxEventLoopDelayMs),
  }

  const handler = (req: Request, res: Response, next: NextFunction): void => {
    const exchange = new Exchange(req, res)
    const delivery = new Delivery(exchange, config, turns, {
      onStream: () => {
        if (!exchange.countsAsStream) ledger.admitStream(exchange, config.limits)
      },
      onTurn: house.observers.onTurn,
      onFailureLeft: next,
      onUnflushable: () => house.warnings.tell('AI_PROXY_CANNOT_FLUSH'),
      onOver: () => conclude(exchange, house),
    })
    ledger.begin(exchange, delivery)
    carry(exchange, delivery, house).catch((thrown) => {
      if (thrown instanceof BodyConsumedError) house.warnings.tell('AI_PROXY_BODY_CONSUMED')
      delivery.fail(toFailure(thrown))
    })
  }

  const close = async (given: { graceMs?: number } = {}): Promise<void> => {
    const { graceMs = 10_000 } = objectOf('close', given, ['graceMs'])
    await ledger.close(check.number('close.graceMs', graceMs, { from: 0 }))
    house.upstream.close()
    house.overload?.close()
  }
  const stats = () => ledger.stats(turns.waiting)
  house.observers.onProxy(stats)
  const abort = (id: string) => ledger.abort(id)
  const proxy = Object.assign(handler, { stats, abort, close })
  return Object.defineProperty(proxy, 'exchanges', { get: () => ledger.snapshots(), enumerable: true }) as AiProxy
}

/** What the exchanges of a middleware share. */
interface House {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly ledger: Ledger
  readonly upstream: UpstreamProxy
  readonly observers: Observers
  readonly warnings: SetupWarnings
  readonly overload: OverloadGuard | undefined
}

/** One exchange, up to where the provider's answer takes over. What it throws is the exchange's failure. */
async function carry(exchange: Exchange, delivery: Delivery, house: House): Promise<void> {
  const { req } = exchange
  const { config, ledger, observers } = house
  debug.request('%s %s %s', exchange.id, req.method, exchange.path)
  ledger.admit()
  house.warnings.look(req, config)

  const path = providerPath(req.url)
  exchange.path = path.path
  exchange.format = config.format ?? formatOf(config.prefix + path.decoded)
  const methods = config.endpoints(path.decoded)
  if (req.method === 'OPTIONS' && methods !== 'any' && methods.length > 0) {
    return delivery.answer(204, { allow: [...methods, 'OPTIONS'].join(', ') })
  }
  admitEndpoint(methods, req.method)

  const onBytes = (count: number) => {
    exchange.requestBytes += count
  }
  const readsAll = config.readsRequests && takesJson(config.format, config.prefix + path.decoded)
  const given = await readBody(req, config.limits, onBytes, config.readsRequests, readsAll)
  if (exchange.isSettled) return
  // What a body parser has read before was not counted as it came in.
  if (Buffer.isBuffer(given.content)) exchange.requestBytes ||= given.content.length
  const awaitFirstByte = () =>
    exchange.deadlines.start('firstByte', config.limits.firstByteTimeoutMs, () => {
      delivery.fail(limitFailure('first_byte_timeout', config.limits))
    })
  // A hook that never comes back must not hold the client for ever.
  awaitFirstByte()
  const edited = await editedRequest(exchange, path, given, config)
  if (exchange.isSettled) return
  if (edited.answer) return answerInstead(delivery, edited.answer)
  if (exchange.asksForStream) {
    house.overload?.admitStream()
    ledger.admitStream(exchange, config.limits)
  }

  awaitFirstByte()
  const further = [...observers.onRequest(exchange), edited.headers]
  const request = await upstreamRequest(req, path, edited.body, config, further)
  if (exchange.isSettled) return
  if (exchange.asksForStream && config.heartbeatBeforeFirstByte) delivery.openEarly()
  // Requests that come in a rush go out in turns, like everything else that takes time.
  house.turns.takeOrEnqueue({
    takeTurn: () => {
      // A client that left meanwhile waits for a turn as well, behind this one.
      if (exchange.isSettled || hasDeparted(req, exchange.res)) return
      try {
        attempt(request, exchange, delivery, house)
      } catch (error) {
        delivery.fail(toFailure(error))
      }
    },
    turnTook: () => {},
    setsOffMs: ATTEMPT_MS,
  })
}

/** The app's answer, in the provider's place. */
function answerInstead(delivery: Delivery, { status = 200, headers = {}, body }: HookAnswer): void {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
  const content = isRaw || body === undefined ? body : JSON.stringify(body)
  const type: Record<string, string> =
    isRaw || body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`onRequest answers with a status from 200 to 599, not ${status}`)
  }
  const own = Object.fromEntries(Object.entries(headers).filter(([name]) => !isFramingHeader(name.toLowerCase())))
  if (status === 204 || status === 304) return delivery.answer(status, own)
  const length = content === undefined ? 0 : Buffer.byteLength(content)
  delivery.answer(status, { ...type, ...own, 'content-length': String(length) }, content)
}

/** About what http-proxy-middleware and Node take to send a request, most of it in promises behind the turn. */
const ATTEMPT_MS = 0.1

/** Tries the provider; once more where a pooled connection turned out to be dead, for it hardly saw that request. */
function attempt(
  request: UpstreamRequest,
  exchange: Exchange,
  delivery: Delivery,
  house: House,
  retriesLeft = 1,
): void {
  const { limits } = house.config
  exchange.phase = 'connecting'
  const current = new Attempt(request, {
    onConnect: () => {
      debug.upstream('%s connected', exchange.id)
      if (exchange.phase === 'connecting') exchange.phase = 'waiting'
    },
    onResponse: (response) => {
      try {
        delivery.begin(response)
      } catch (error) {
        delivery.fail(toFailure(error))
      }
    },
    onError: (cause, failed) => {
      failed.end()
      debug.upstream('%s %s', exchange.id, cause.message)
      const isReplayable = request.body === undefined || Buffer.isBuffer(request.body)
      if (failed.isStale(cause) && isReplayable && retriesLeft > 0) {
        return attempt(request, exchange, delivery, house, retriesLeft - 1)
      }
      delivery.fail(
        failed.connected
          ? new AiProxyError('upstream_reset', 'The provider broke off before it answered', { cause })
          : new AiProxyError('upstream_unreachable', 'The provider cannot be reached', { cause }),
      )
    },
    onRequestChunk: (chunk) => {
      exchange.requestBytes += chunk.length
      if (exchange.requestBytes <= limits.maxRequestBytes) return
      delivery.fail(limitFailure('request_too_large', limits))
    },
  })
  delivery.upstream = current
  current.start(house.upstream.handle)
}

/** The exchange is over, however it went: it is counted and told, once. */
function conclude(exchange: Exchange, { config, ledger, observers }: House): void {
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
    debug.request('%s onFinish threw: %O', exchange.id, error)
  }
}
