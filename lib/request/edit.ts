import type { Config } from '../config.js'
import { AiProxyError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { asksForStream, canGenerate, modelInPath } from '../formats/index.js'
import type { HookAnswer } from '../hooks.js'
import { isObject } from '../json.js'
import { topLevelSpans } from '../top-level.js'
import type { RequestBody } from './body.js'
import { runHook } from './hook.js'
import { withUsageAsked } from './include-usage.js'
import { withModelOptions } from './model-options.js'
import { admitModel } from './models.js'
import type { ProviderPath } from './provider-path.js'

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
    exchange.model = modelInPath(whole)?.slice(0, LONGEST_MODEL) ?? modelOf(body.json)
    exchange.asksForStream = asksForStream(method, whole, body.json)
  }
  learn()
  if (config.modelOptions && isObject(body.json)) {
    body = rewritten(body, withModelOptions(body.json, config.modelOptions, exchange.format, canGenerate(whole)))
    learn()
  }
  let headers: Readonly<Record<string, string>> = {}
  if (config.onRequest) {
    const hooked = await runHook(config.onRequest, exchange, body, (json) => rewritten(given, json))
    if (hooked.answer) return hooked
    body = hooked.body
    headers = hooked.headers
    learn()
  }
  if (config.models) {
    refuseAmbiguousModel(body)
    admitModel(config.models, method, exchange.model)
  }
  if (config.includeUsage && exchange.asksForStream && isPlainJson(body) && takesUsageRequest(config, whole)) {
    const { bytes, isOurs } = withUsageAsked(body.content, exchange.format)
    exchange.hidesUsage = isOurs
    if (isOurs) body = withContent(body, bytes, body.json)
  }
  return { body, headers, answer: undefined }
}

/**
 * Mistral answers 422 to a request that asks for usage, and tells it unasked. And what only falls back on OpenAI's
 * format (`/audio/speech`) has no such field.
 */
function takesUsageRequest({ format, origin }: Config, path: string): boolean {
  return !/\.mistral\.ai(?::\d+)?$/.test(origin) && (format !== undefined || /\/(?:chat\/)?completions$/.test(path))
}

/**
 * Which of two fields of one name counts is up to the reader, and some (Go's, as in Ollama) take `Model` for `model`: what
 * we check must be what the provider takes.
 */
function refuseAmbiguousModel(body: RequestBody): void {
  if (!isPlainJson(body)) return
  const isRepeated = topLevelSpans(body.content, ['model'])?.get('model')?.isRepeated
  const likeIt = Object.keys(body.json as object).filter((name) => name.toLowerCase() === 'model')
  if (isRepeated || likeIt.some((name) => name !== 'model')) {
    throw new AiProxyError('invalid_request', 'The request body names a model twice')
  }
}

function rewritten(body: RequestBody, json: unknown): RequestBody {
  if (json === undefined) return { content: undefined, headers: { 'content-length': '0' }, json }
  return withContent(body, Buffer.from(JSON.stringify(json)), json)
}

function withContent(body: RequestBody, content: Buffer, json: unknown): RequestBody {
  const { 'content-encoding': _, ...headers } = body.headers
  headers['content-length'] = String(content.length)
  headers['content-type'] ??= 'application/json'
  return { ...body, content, headers, json }
}

function isPlainJson(body: RequestBody): body is RequestBody & { content: Buffer } {
  return isObject(body.json) && Buffer.isBuffer(body.content) && body.headers['content-encoding'] === undefined
}

function modelOf(json: unknown): string | undefined {
  const model = isObject(json) ? json.model : undefined
  // It goes into records, logs and metrics: a name, not whatever a client may put there.
  return typeof model === 'string' ? model.slice(0, LONGEST_MODEL) : undefined
}
