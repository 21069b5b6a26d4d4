import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config.js'
import { AiProxyError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { asksForStream, canGenerate, modelInPath, modelPerhapsInPath } from '../formats/index.js'
import type { HookAnswer } from '../hooks.js'
import { isObject } from '../json.js'
import { refuseAmbiguousFields } from './ambiguous.js'
import type { RequestBody } from './body.js'
import { runHook } from './hook.js'
import { withUsageAsked } from './include-usage.js'
import { pathsOf, withModelOptions } from './model-options.js'
import { admitModel } from './models.js'
import type { ProviderPath } from './provider-path.js'
import { takesJson } from './takes-json.js'

/** A request as it is to go out; or the app's answer in the provider's place. */
interface Edited {
  readonly body: RequestBody
  /** Further headers from the app's hook. */
  readonly headers: Readonly<Record<string, string>>
  readonly answer: HookAnswer | undefined
}

const LONGEST_MODEL = 256

/**
 * Makes of the client's body what goes to the provider: `modelOptions`, then `onRequest`, then the allow-list of models,
 * then the question for usage. Where none of them changes anything, the client's bytes stay as they are. What the
 * exchange is about (`model`, `asksForStream`) is learned here.
 *
 * @throws AiProxyError `model_not_allowed`, `invalid_request`, and what `onRequest` refuses
 */
export async function editedRequest(
  exchange: Exchange,
  path: ProviderPath,
  given: RequestBody,
  config: Config,
): Promise<Edited> {
  const { method } = exchange.req
  let body = given
  const whole = config.prefix + path.decoded
  const learn = () => {
    // It goes into records, logs and metrics: a name, not whatever a client may put there.
    exchange.model = (modelInPath(whole) ?? modelOf(body.json))?.slice(0, LONGEST_MODEL)
    exchange.asksForStream = asksForStream(method, whole, body.json)
  }
  /** The body as it goes out, where it asks for a stream: the same one, or one that asks for usage as well. */
  const askingForUsage = (asked: RequestBody): RequestBody => {
    const content = jsonBytes(asked)
    if (!config.includeUsage || !content || !takesUsageRequest(config, whole)) return asked
    // Others than `true` are for the provider to understand: it may take `"false"` for what it says.
    if (!isObject(asked.json) || asked.json.stream !== true) return asked
    const { bytes, isOurs } = withUsageAsked(content, exchange.format)
    return isOurs ? withContent(asked, bytes, asked.json) : asked
  }
  const admitModels = () => {
    if (!config.models) return
    // Where the path names one, providers do not look for another in the body.
    const asked = modelPerhapsInPath(whole) ?? modelOf(body.json)
    for (const model of [asked, ...fallbackModels(body.json)]) admitModel(config.models, method, model)
  }
  learn()
  if (config.readsRequests && isUnread(body) && takesJson(config.format, whole)) {
    admitModels()
    throw new AiProxyError('invalid_request', 'The request body is not declared as JSON, which this endpoint takes')
  }
  const { modelOptions } = config
  const generates = canGenerate(whole)
  const content = config.readsRequests ? jsonBytes(body) : undefined
  if (content && isObject(body.json)) {
    const changed = modelOptions ? pathsOf(modelOptions, body.json, exchange.format, generates) : []
    refuseAmbiguousFields(content, [['model'], ['models'], ...changed], exchange.format.readsBothCases)
  }
  if (modelOptions && isObject(body.json)) {
    const optioned = withModelOptions(body.json, modelOptions, exchange.format, generates)
    if (!isDeepStrictEqual(optioned, body.json)) body = rewritten(body, optioned)
    learn()
  }
  let headers: Readonly<Record<string, string>> = {}
  if (config.onRequest) {
    const hooked = await runHook(config.onRequest, exchange, body, (json) => rewritten(given, json), askingForUsage)
    if (hooked.answer) return hooked
    body = hooked.body
    headers = hooked.headers
    learn()
  }
  admitModels()
  const asking = askingForUsage(body)
  exchange.hidesUsage = asking !== body
  return { body: asking, headers, answer: undefined }
}

/** Models that the provider may take instead: https://openrouter.ai/docs/features/model-routing */
function fallbackModels(json: unknown): (string | undefined)[] {
  const models = isObject(json) && Array.isArray(json.models) ? json.models : []
  return models.map((model: unknown) => (typeof model === 'string' ? model : undefined))
}

/**
 * Mistral answers 422 to a request that asks for usage, and tells it unasked. And what only falls back on OpenAI's
 * format (`/audio/speech`) has no such field.
 */
function takesUsageRequest({ format, origin }: Config, path: string): boolean {
  return !/\.mistral\.ai(?::\d+)?$/.test(origin) && (format !== undefined || /\/(?:chat\/)?completions$/.test(path))
}

function rewritten(body: RequestBody, json: unknown): RequestBody {
  if (json === undefined) return { content: undefined, headers: { 'content-length': '0' }, json }
  return withContent(body, Buffer.from(JSON.stringify(json)), json)
}

function withContent(body: RequestBody, content: Buffer, json: unknown): RequestBody {
  const { 'content-encoding': _, ...headers } = body.headers
  headers['content-length'] = String(content.length)
  // Where it was something else (an upload), it is JSON now.
  if (body.json === undefined || !headers['content-type']) headers['content-type'] = 'application/json'
  return { content, headers, json }
}

/** A body that nobody has looked into. */
function isUnread({ content, json }: RequestBody): boolean {
  return content !== undefined && json === undefined
}

/** The bytes of a body that is a JSON object. */
function jsonBytes({ json, content, decoded, headers }: RequestBody): Buffer | undefined {
  if (!isObject(json)) return undefined
  if (decoded) return decoded
  return Buffer.isBuffer(content) && headers['content-encoding'] === undefined ? content : undefined
}

function modelOf(json: unknown): string | undefined {
  const model = isObject(json) ? json.model : undefined
  return typeof model === 'string' ? model : undefined
}
