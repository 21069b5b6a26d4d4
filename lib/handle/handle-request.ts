import { appTimeout, limitFailure } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import type { HeldShare } from '../exchange/held-bytes.js'
import { answersInJson, formatsOfModelsRequest, modelsAnswer } from '../formats/index.js'
import type { Recorder } from '../journal/recorder.js'
import type { Config } from '../options/config.js'
import { admitEndpoint, allowHeader, rejectWebSocket } from '../request/admit-endpoint.js'
import { readBody } from '../request/body.js'
import { type Edited, editRequest } from '../request/edit.js'
import { type ProviderPath, providerPath } from '../request/provider-path.js'
import { takesJson } from '../request/takes-json.js'
import type { ResponseController } from '../response/response-controller.js'
import { JSON_TYPE } from '../response/response-head.js'
import { debug } from '../util/debug.js'
import { askApp } from './ask-app.js'
import type { ProxyContext } from './context.js'
import { admitByPolicies, sharePolicies } from './exchange-policies.js'
import { identifySubject } from './identify-subject.js'
import { awaitEarlierRequests, isBehindAnother } from './pipeline.js'
import { prepareRequest } from './prepare-request.js'
import { earlyStreamHeaders, readerOf, recorderFor } from './record-answer.js'
import { RoutedExchange } from './routed-exchange.js'
import { SharedAnswer } from './share-answer.js'
import { shareableRequest } from './shareable-request.js'
import { SingleRequest } from './single-request.js'
import { isStreamRoute, serveStream } from './stream-route.js'
import { configAt, formatAt } from './target-pool.js'

/** Handles one exchange until the provider's answer takes over. An exception is the exchange's failure. */
export async function handleRequest(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
): Promise<void> {
  const { client } = exchange
  const { registry } = context
  // Set the format before anything can be rejected: a rejection also uses the client's protocol.
  exchange.route(exchange.path, formatAt(context.config, exchange.path))
  debug.request('%s %s %s', exchange.id, client.method, exchange.path)
  registry.admitArrived(exchange)
  rejectWebSocket(client.headers.upgrade)
  context.warnings.inspect(exchange, context.config)
  if (isBehindAnother(exchange)) {
    await awaitEarlierRequests(exchange)
    if (exchange.isSettled) return
    registry.admit()
  }

  const { resume } = context.config
  if (resume && context.journals.resume && isStreamRoute(client.url)) {
    registry.admitExchange(exchange, context.config.limits)
    const { identify } = context.config
    if (identify) await identifySubject(exchange, controller, identify)
    if (exchange.isSettled) return
    return serveStream(exchange, controller, context, resume, context.journals.resume)
  }

  const path = providerPath(client.url)
  const config = configAt(context.config, path.decoded)
  exchange.route(path.path, formatAt(config, path.decoded))
  exchange.isAnsweredInJson = answersInJson(client.method, config.prefix + path.decoded, exchange.format)
  const methods = config.endpoints(path.decoded)
  if (client.method === 'OPTIONS' && methods !== 'any' && methods.length > 0) {
    return controller.respond(204, { allow: allowHeader(methods) })
  }
  admitEndpoint(methods, client.method)
  registry.admitExchange(exchange, config.limits)
  if (config.identify) await identifySubject(exchange, controller, config.identify)
  if (exchange.isSettled) return
  if (context.owners) await context.owners.admit(exchange, controller, path.decoded)
  if (exchange.isSettled) return
  if (context.targets && (await answersModels(exchange, controller, context, path))) return
  const { limitsFor } = config
  if (limitsFor) {
    exchange.limits = await askApp('limits', exchange, controller, () => limitsFor(exchange.hookView()))
    if (exchange.isSettled) return
  }
  const share = context.held.share()
  exchange.held = share
  await share.during(() => sendBody(exchange, controller, context, config, path, share))
}

/** Returns what a request shares with others, if it may share anything. */
function sharedAnswer(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
  config: Config,
  path: ProviderPath,
  edited: Edited,
): SharedAnswer | undefined {
  const { cache } = config
  const { answers, journals } = context
  if (!cache || !answers || !journals.cache) return undefined
  const request = shareableRequest(exchange, path, edited, config, cache)
  const kept = { cache, journal: journals.cache, answers }
  const onBegin = () => sharePolicies(exchange, context, edited, config.prefix + path.decoded, path)
  return request && new SharedAnswer(request, edited, onBegin, exchange, controller, context, kept)
}

/** Makes a request the one that others wait for. @returns `false` if it has ended, with another's answer or without any */
async function leads(recorder: Recorder, shared: SharedAnswer | undefined, exchange: Exchange): Promise<boolean> {
  if (!shared) return true
  let isLeader = false
  try {
    isLeader = await shared.lead(recorder.id)
    if (isLeader && !exchange.isSettled) {
      shared.miss()
      return true
    }
  } catch (error) {
    recorder.discard()
    throw error
  }
  recorder.discard()
  if (isLeader) await shared.giveUpLead(recorder.id)
  return false
}

/**
 * Answers a request for the list of models from those of the targets, if each of them lists its models.
 *
 * @returns whether it did
 */
async function answersModels(
  exchange: Exchange,
  controller: ResponseController,
  { config, targets }: ProxyContext,
  path: ProviderPath,
): Promise<boolean> {
  const { req } = exchange
  const formats = targets && formatsOfModelsRequest(req.method, path.decoded, req.headers, path.query)
  const names = formats && targets.modelNames(formats)
  if (!names) return false
  const { modelsOf } = config
  const allows =
    config.models ?? (modelsOf && (await askApp('models', exchange, controller, () => modelsOf(exchange.hookView()))))
  const ofSubject = exchange.allowsModel ? names.filter(exchange.allowsModel) : names
  const allowed = allows ? ofSubject.filter(allows) : ofSubject
  const answer = modelsAnswer(req.method, path.decoded, req.headers, allowed, path.query)
  if (answer && !exchange.isSettled) {
    const body = JSON.stringify(answer.body)
    const length = String(Buffer.byteLength(body))
    controller.respond(answer.status, { 'content-type': JSON_TYPE, 'content-length': length }, body)
  }
  return true
}

/** Returns the options whose functions decide about a request. */
function functionsAskedBy({ onRequest, modelsOf }: Config): readonly string[] {
  return [...(onRequest ? ['onRequest'] : []), ...(modelsOf ? ['models'] : [])]
}

/** Reads the body, edits it, and sends the request. */
async function sendBody(
  exchange: Exchange,
  controller: ResponseController,
  context: ProxyContext,
  config: Config,
  path: ProviderPath,
  share: HeldShare,
): Promise<void> {
  const { req } = exchange
  const { registry, observers } = context
  const { limits } = exchange
  const { sticky } = context.targets?.routing ?? {}
  const given = await readBody(req, limits, {
    onBytes: (count) => exchange.traffic.countRequestBytes(count),
    isEdited: config.readsRequests || sticky !== undefined || context.owners?.reads(exchange) === true,
    takesJson: takesJson(config.format, config.prefix + path.decoded),
    resources: { share, turns: context.turns },
    format: exchange.format,
  })
  if (exchange.isSettled) return
  // A body that a parser read earlier was not counted as it arrived.
  if (Buffer.isBuffer(given.content) && exchange.traffic.requestBytes === 0)
    exchange.traffic.countRequestBytes(given.content.length)
  // The options whose functions are awaited now: the provider is not asked before they have answered.
  let asked = functionsAskedBy(config)
  const awaitFirstByte = () => {
    const { firstByteTimeoutMs, firstTokenTimeoutMs } = limits
    exchange.deadlines.start('firstByte', firstByteTimeoutMs, () => {
      controller.fail(asked.length > 0 ? appTimeout(asked, limits) : limitFailure('first_byte_timeout', limits))
    })
    if (!exchange.asksForStream) return
    exchange.deadlines.start('firstToken', firstTokenTimeoutMs, () => {
      controller.failForSilence(limitFailure('first_token_timeout', limits))
    })
  }
  // A hook that never returns must not hold the client forever.
  awaitFirstByte()
  const isRouted = context.targets !== undefined
  const edited = await editRequest(exchange, path, given, config, context.provider.usageRefusals, !isRouted)
  asked = []
  if (exchange.isSettled) return
  if (edited.answer) {
    const { status, headers, content } = edited.answer
    return controller.respond(status, headers, content)
  }
  if (context.owners) await context.owners.admitContinued(exchange, edited.body)
  if (exchange.isSettled) return
  const shared = sharedAnswer(exchange, controller, context, config, path, edited)
  if (shared && (await shared.answer())) return
  if (exchange.isSettled) return
  if (exchange.asksForStream) context.overload?.admitStream()
  if (config.resume) asked = ['resume.who']
  const reader = config.resume && (await readerOf(exchange, context))
  asked = []
  if (exchange.isSettled) return
  if (config.policies.length > 0) {
    const admitting = context.targets?.admitting(exchange, path)
    const whole = config.prefix + path.decoded
    const openEarly = () => controller.sendEarlyHeaders(earlyStreamHeaders(exchange, context, reader, shared))
    asked = ['policies']
    await admitByPolicies(exchange, openEarly, context, edited, whole, admitting)
    asked = []
    if (exchange.isSettled) return
  }
  if (config.resume || shared) {
    const recorder = recorderFor(exchange, controller, context, reader, shared)
    if (recorder && !(await leads(recorder, shared, exchange))) return
    if (recorder) controller.record(recorder)
  }
  if (exchange.asksForStream && !exchange.countsAsStream) registry.admitStream(exchange, limits)

  if (context.targets) return new RoutedExchange(path, edited, exchange, controller, context, context.targets).start()
  asked = ['auth']
  awaitFirstByte()
  const prepared = await prepareRequest(exchange, path, edited, config, observers.onRequest(exchange, config.origin))
  asked = []
  if (exchange.isSettled) return
  if (exchange.asksForStream && config.heartbeat.beforeFirstByte) controller.sendEarlyHeaders()
  new SingleRequest(prepared, exchange, controller, context).start()
}
