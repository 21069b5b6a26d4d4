import { AiProxyError } from '../api/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import {
  asksForStream,
  canGenerate,
  isModelInPrefix,
  modelInPath,
  possibleModelInPath,
  requestedChoices,
  runsNoModel,
} from '../formats/index.js'
import { applyEditInPieces, type Edit } from '../json/apply-edit.js'
import { isObject, parseJsonBytes } from '../json/json.js'
import type { Config } from '../options/config.js'
import { isRejection } from '../options/hook-rejection.js'
import { MAX_MODEL_LENGTH } from '../options/models.js'
import { beginningOf } from '../util/beginning-of.js'
import { rejectAmbiguousFields } from './ambiguous.js'
import { askForUsage } from './ask-for-usage.js'
import type { RequestBody } from './body.js'
import { join, joinIfShort, joinInTurns } from './body-bytes.js'
import { rejectOtherEncodings } from './charset.js'
import { runHook } from './hook.js'
import type { FinishedAnswer } from './hook-answer.js'
import { jsonText } from './json-text.js'
import { rejectOtherModels } from './model-copies.js'
import { applyModelOptions, pathsOf } from './model-options.js'
import { admitModel, furtherModels, modelOf, modelPaths, modelsInHeaders, rejectModelInQuery } from './models.js'
import type { ProviderPath } from './provider-path.js'
import { takesJson } from './takes-json.js'
import { mayRefuseUsage, type UsageRefusals } from './usage-refusals.js'
import { withContent } from './with-content.js'

/** Gateways accept a handful of fallbacks; each is matched against all of the app's RegExps. */
const MAX_FURTHER_MODELS = 100

/** A request as it will be sent, or the app's answer in place of the provider's. */
export interface Edited {
  readonly body: RequestBody
  /** The body without the request for usage, if we added that and the provider may reject it. */
  readonly withoutUsageRequest: RequestBody | undefined
  /** The body asks for usage for our sake, so the client must not see the event that reports it. */
  readonly hidesUsage: boolean
  /** Additional headers from the app's hook. */
  readonly headers: Readonly<Record<string, string>>
  readonly answer: FinishedAnswer | undefined
  /** The app's hook has read the bytes, for a signature: they must not change. */
  readonly isSigned: boolean
}

/**
 * Edits the client's body for the provider: applies `modelOptions`, then `onRequest`, then checks the allow-list of
 * models, then requests usage. Each change is spliced into the client's bytes, which otherwise stay as they are. It
 * also sets the exchange's `model` and `asksForStream`.
 *
 * @param refusals where the provider is known to reject the request for usage
 * @param isTargetChosen `false` if there are several: usage is then requested later, if at all, and a model that a base
 *   URL names is that target's, not the client's
 * @throws AiProxyError `model_not_allowed`, `invalid_request`, `unsupported_media_type`, and the error of an
 *   `onRequest` that rejects
 */
export async function editRequest(
  exchange: Exchange,
  path: ProviderPath,
  given: RequestBody,
  config: Config,
  refusals?: UsageRefusals,
  isTargetChosen = true,
): Promise<Edited> {
  const { method } = exchange.client
  const { modelOptions } = config
  const whole = config.prefix + path.decoded
  let body = given
  const inPath = (find: typeof modelInPath) => {
    const name = find(whole, exchange.format)
    const isOfTarget = name !== undefined && !isTargetChosen && isModelInPrefix(config.prefix, whole, exchange.format)
    return isOfTarget ? undefined : name
  }
  const updateExchange = () => {
    // It goes into records, logs and metrics, so a client must not be able to put a long text there.
    const asked = inPath(modelInPath) ?? modelOf(body.json)
    const model = asked === undefined ? undefined : beginningOf(asked, MAX_MODEL_LENGTH)
    exchange.describe(model, asksForStream(method, whole, body.json, path.query, exchange.format))
    if (exchange.asksForStream) exchange.choicesAsked = requestedChoices(body.json)
  }
  const askingForUsage = (asked: RequestBody) =>
    isTargetChosen ? askForUsage(asked, exchange, config, whole, refusals) : asked
  const { allowsModel } = exchange
  const limitsModels = Boolean(config.models || config.modelsOf || allowsModel)
  const admitModels = async () => {
    // A request that only reads names no model.
    const readsOnly = (method === 'GET' || method === 'HEAD') && body.content === undefined
    if (readsOnly) return
    // If the path names one, providers do not look for another in the body.
    const asked = inPath(possibleModelInPath) ?? modelOf(body.json)
    if (asked === undefined && runsNoModel(method, whole)) return
    const further: (string | undefined)[] = modelsInHeaders(exchange.client.headers)
    for (const model of furtherModels(body.json)) {
      further.push(model)
      if (further.length <= MAX_FURTHER_MODELS) continue
      throw new AiProxyError('invalid_request', `The request names more than ${MAX_FURTHER_MODELS} further models`)
    }
    // Checked last, so that a request that is rejected anyway costs the app no lookup.
    const allowed = config.models ?? (await config.modelsOf?.(exchange.hookView()))
    for (const allows of [allowsModel, allowed]) {
      if (allows) for (const model of [asked, ...further]) admitModel(allows, model)
    }
  }
  updateExchange()
  if (config.readsRequests && takesJson(config.format, whole)) {
    const fault = bodyFault(body, config, allowsModel !== undefined)
    if (fault) {
      if (limitsModels) await admitModels()
      throw new AiProxyError('invalid_request', fault)
    }
  }
  const text = config.readsRequests ? jsonText(body) : undefined
  if (config.readsRequests && body.json !== undefined && !text) {
    throw new AiProxyError('unsupported_media_type', 'The request body cannot be decoded here')
  }
  const target = { format: exchange.format, generates: canGenerate(whole, exchange.format), url: config.origin + whole }
  if (text) rejectOtherEncodings(text, body.headers['content-type'])
  if (text && isObject(body.json)) {
    const changed = modelOptions ? pathsOf(modelOptions, body.json, target) : []
    const paths = changed.length > 0 ? [...modelPaths, ...changed] : modelPaths
    rejectAmbiguousFields(text, paths, exchange.format.readsBothCases, body.spans)
  }
  if (modelOptions && text && isObject(body.json)) {
    // What a body parser left belongs to the app, and must not be changed.
    const isOfApp = (exchange.req as { body?: unknown }).body === body.json
    const json = isOfApp ? (parseJsonBytes(text) as Record<string, unknown>) : body.json
    const edit = applyModelOptions(json, modelOptions, target)
    if (edit) body = withContent(body, await joinInTurns(applyEditInPieces(text, edit), () => exchange.isSettled), json)
    updateExchange()
  }
  let headers: Readonly<Record<string, string>> = {}
  let isSigned = false
  /** The body as a hook has seen it, and its final bytes. */
  let finished: { readonly of: RequestBody; readonly as: RequestBody } | undefined
  if (config.onRequest) {
    const { onRequest } = config
    const hook = () =>
      runHook(onRequest, exchange, body, rewriteBody, (asked) => {
        if (finished?.of !== asked) finished = { of: asked, as: askingForUsage(joinedBody(asked)) }
        return finished.as
      })
    const hooked = await config.hookErrors.reporting('onRequest', hook, () => exchange.hookView(), isRejection)()
    if (hooked.answer) return { ...hooked, hidesUsage: false, withoutUsageRequest: undefined }
    body = hooked.body
    if (Array.isArray(body.content)) {
      body = { ...body, content: await joinInTurns(body.content, () => exchange.isSettled) }
    }
    headers = hooked.headers
    isSigned = hooked.isSigned
    updateExchange()
  }
  if (limitsModels) await admitModels()
  const named = inPath(possibleModelInPath)
  const isChecked = config.readsRequests || allowsModel !== undefined || !isTargetChosen
  if (isChecked && body.content !== undefined) rejectModelInQuery(path.query, named ?? modelOf(body.json))
  if (config.readsRequests && named !== undefined) {
    await rejectOtherModels(body, named, exchange.format, () => exchange.isSettled)
  }
  const asking = finished?.of === body ? finished.as : askingForUsage(body)
  const hidesUsage = asking !== body
  const unasked = hidesUsage && !isSigned && mayRefuseUsage(body, exchange.format) ? body : undefined
  return { body: asking, hidesUsage, withoutUsageRequest: unasked, headers, answer: undefined, isSigned }
}

/** Says why a body cannot go to an endpoint that takes JSON: it was not inspected, or options cannot apply to it. */
function bodyFault(
  { content, json }: RequestBody,
  { models, modelsOf, modelOptions, policies }: Config,
  isLimitedInModels: boolean,
): string | undefined {
  if (content === undefined) return undefined
  if (json === undefined) return 'The request body is not declared as JSON, which this endpoint takes'
  const mustBeObject = models || modelsOf || modelOptions || policies.length > 0 || isLimitedInModels
  return mustBeObject && !isObject(json) ? 'The request body is not a JSON object' : undefined
}

/** Joins a body into one piece. */
function joinedBody(body: RequestBody): RequestBody {
  return Array.isArray(body.content) ? { ...body, content: join(body.content) } : body
}

/**
 * Replaces a body's JSON: applies the edit to its text if there is one, otherwise serializes the value. A long body
 * stays in pieces, to be joined in turns.
 */
function rewriteBody(body: RequestBody, json: unknown, edit: Edit | undefined): RequestBody {
  if (json === undefined) return { content: undefined, headers: { 'content-length': '0' }, json }
  const text = jsonText(body)
  const bytes =
    text && edit !== undefined ? joinIfShort(applyEditInPieces(text, edit)) : Buffer.from(JSON.stringify(json))
  return withContent(body, bytes, json)
}
