import { limitFailure } from '../api/errors.js'
import { type Exchange, formatOf } from '../exchange/exchange.js'
import type { HeldShare } from '../exchange/held-bytes.js'
import type { Config } from '../options/config.js'
import { admitEndpoint, allowHeader, rejectWebSocket } from '../request/admit-endpoint.js'
import { readBody } from '../request/body.js'
import { editRequest } from '../request/edit.js'
import { listNotForwarded } from '../request/headers.js'
import { type ProviderPath, providerPath } from '../request/provider-path.js'
import { collectSecrets } from '../request/secret-values.js'
import { takesJson } from '../request/takes-json.js'
import { upstreamRequest, withBody } from '../request/upstream-request.js'
import type { ResponseController } from '../response/response-controller.js'
import { debug } from '../util/debug.js'
import type { ProxyContext } from './context.js'
import { awaitEarlierRequests, isBehindAnother } from './pipeline.js'
import { RequestDispatch } from './request-dispatch.js'

/** Handles one exchange until the provider's answer takes over. An exception is the exchange's failure. */
export async function handleRequest(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
): Promise<void> {
  const { req } = exchange
  const { config, registry } = context
  // Set the format before anything can be rejected: a rejection also uses the client's protocol.
  exchange.route(exchange.path, config.format ?? formatOf(config.prefix + exchange.path))
  debug.request('%s %s %s', exchange.id, req.method, exchange.path)
  registry.admit()
  rejectWebSocket(req.headers.upgrade)
  context.warnings.inspect(req, config)
  if (isBehindAnother(exchange)) {
    await awaitEarlierRequests(exchange)
    if (exchange.isSettled) return
    registry.admit()
  }

  const path = providerPath(req.url)
  exchange.route(path.path, config.format ?? formatOf(config.prefix + path.decoded))
  const methods = config.endpoints(path.decoded)
  if (req.method === 'OPTIONS' && methods !== 'any' && methods.length > 0) {
    return controller.respond(204, { allow: allowHeader(methods) })
  }
  admitEndpoint(methods, req.method)
  registry.admitExchange(exchange, config.limits)
  if (config.limitsFor) {
    await applyRequestLimits(exchange, controller, config.limitsFor)
    if (exchange.isSettled) return
  }
  const share = context.held.share()
  exchange.held = share
  await share.during(() => sendBody(exchange, controller, context, path, share))
}

/**
 * Asks the app for the request's own limits. A lookup that never ends must not hold the client, so it has a deadline.
 */
async function applyRequestLimits(
  exchange: Exchange,
  controller: ResponseController,
  limitsFor: NonNullable<Config['limitsFor']>,
): Promise<void> {
  const { deadlines, limits } = exchange
  deadlines.start('firstByte', limits.firstByteTimeoutMs, () => {
    controller.fail(limitFailure('first_byte_timeout', limits))
  })
  exchange.limits = await limitsFor(exchange.hookView())
  deadlines.stop('firstByte')
}

/** Reads the body, edits it, and sends the request. */
async function sendBody(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
  path: ProviderPath,
  share: HeldShare,
): Promise<void> {
  const { req } = exchange
  const { config, registry, observers } = context
  const { limits } = exchange
  const onBytes = (count: number) => exchange.countRequestBytes(count)
  const readsAll = takesJson(config.format, config.prefix + path.decoded)
  const given = await readBody(req, limits, onBytes, config.readsRequests, readsAll, {
    share,
    turns: context.turns,
  })
  if (exchange.isSettled) return
  // A body that a parser read earlier was not counted as it arrived.
  if (Buffer.isBuffer(given.content) && exchange.requestBytes === 0) exchange.countRequestBytes(given.content.length)
  const awaitFirstByte = () => {
    const { firstByteTimeoutMs, firstTokenTimeoutMs } = limits
    exchange.deadlines.start('firstByte', firstByteTimeoutMs, () => {
      controller.fail(limitFailure('first_byte_timeout', limits))
    })
    if (!exchange.asksForStream) return
    exchange.deadlines.start('firstToken', firstTokenTimeoutMs, () => {
      controller.failForSilence(limitFailure('first_token_timeout', limits))
    })
  }
  // A hook that never returns must not hold the client forever.
  awaitFirstByte()
  const edited = await editRequest(exchange, path, given, config, context.usageRefusals)
  if (exchange.isSettled) return
  if (edited.answer) {
    const { status, headers, content } = edited.answer
    return controller.respond(status, headers, content)
  }
  if (exchange.asksForStream) {
    context.overload?.admitStream()
    registry.admitStream(exchange, limits)
  }

  awaitFirstByte()
  const observed = observers.onRequest(exchange)
  const request = await upstreamRequest(req, path, edited.body, config, observed, edited.headers)
  if (debug.request.enabled)
    debug.request('%s not forwarded: %s', exchange.id, listNotForwarded(req.headers, request.headers))
  exchange.secrets = collectSecrets(request, config, [...observed, edited.headers])
  if (exchange.isSettled) return
  const unasked = edited.withoutUsageRequest && withBody(request, edited.withoutUsageRequest)
  if (exchange.asksForStream && config.heartbeat.beforeFirstByte) controller.sendEarlyHeaders()
  // Requests of a burst are sent in turns, like everything else that takes time.
  context.turns.runOrEnqueue(new RequestDispatch(request, exchange, controller, context, edited.hidesUsage, unasked))
}
