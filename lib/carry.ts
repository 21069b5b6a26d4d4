import type { Config } from './config.js'
import { debug } from './debug.js'
import { AiProxyError, limitFailure, toFailure } from './errors.js'
import { type Exchange, formatOf } from './exchange.js'
import type { HookAnswer } from './hooks.js'
import type { Ledger } from './ledger.js'
import type { Observers } from './observers.js'
import type { OverloadGuard } from './overload.js'
import { readBody } from './request/body.js'
import { editedRequest } from './request/edit.js'
import { admitEndpoint } from './request/endpoints.js'
import { isFramingHeader } from './request/headers.js'
import { providerPath } from './request/provider-path.js'
import { takesJson } from './request/takes-json.js'
import { upstreamRequest } from './request/upstream-request.js'
import type { SetupWarnings } from './setup-warnings.js'
import type { Delivery } from './stream/delivery.js'
import { hasDeparted } from './stream/departure.js'
import type { TurnScheduler } from './stream/turns.js'
import { Attempt } from './upstream/attempt.js'
import type { UpstreamProxy } from './upstream/proxy.js'
import type { UpstreamRequest } from './upstream/stand-ins.js'

/** What the exchanges of a middleware share. */
export interface House {
  readonly config: Config
  readonly turns: TurnScheduler
  readonly ledger: Ledger
  readonly upstream: UpstreamProxy
  readonly observers: Observers
  readonly warnings: SetupWarnings
  readonly overload: OverloadGuard | undefined
}

/** One exchange, up to where the provider's answer takes over. What it throws is the exchange's failure. */
export async function carry(exchange: Exchange, delivery: Delivery, house: House): Promise<void> {
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
