import type { IncomingHttpHeaders } from 'node:http'
import { AiProxyError } from '../api/errors.js'
import { listAt, valueAt } from '../formats/fields.js'
import {
  compoundModelsPath,
  extraBody,
  type FieldPath,
  fallbackFields,
  fallbackMapFields,
  gatewayModelsPath,
  modelHeaders,
  panelFields,
  routingFields,
} from '../formats/index.js'
import { isObject } from '../json/json.js'
import { EACH } from '../json/replace-strings.js'
import { MAX_MODEL_LENGTH, type ModelFilter } from '../options/models.js'
import { valuesOf } from './query.js'

/**
 * Rejects a request for a model that is not allowed. A request that names no model is rejected too, because the
 * provider would choose one. Overlong names never reach the app's RegExps, which may take quadratic time for them.
 *
 * @throws AiProxyError `model_not_allowed`
 */
export function admitModel(allows: ModelFilter, model: string | undefined): void {
  if (model !== undefined && model.length <= MAX_MODEL_LENGTH && allows(model)) return
  const message =
    model === undefined
      ? 'The request names no model'
      : model.length > MAX_MODEL_LENGTH
        ? `The model's name has more than ${MAX_MODEL_LENGTH} characters`
        : `The model ${model} is not allowed here`
  throw new AiProxyError('model_not_allowed', message)
}

/**
 * Rejects a request whose query names another model than its path or body does: LiteLLM obeys the query
 * (`POST /v1/chat/completions?model=other`), and others do not.
 *
 * @throws AiProxyError `invalid_request`
 */
export function rejectModelInQuery(query: string, model: string | undefined): void {
  if (model === undefined || valuesOf(query, 'model').every((named) => named === model)) return
  throw new AiProxyError('invalid_request', 'The query of the request names another model')
}

/** The fields that name models, for `rejectAmbiguousFields`. */
export const modelPaths: readonly FieldPath[] = [
  ...['model', ...fallbackMapFields, ...routingFields].map((name) => [name]),
  ...['tools', ...fallbackFields].map((name) => [name, EACH, 'model']),
  ...panelFields.flatMap((name) => [
    ['plugins', EACH, name],
    ['tools', EACH, 'parameters', name],
  ]),
  compoundModelsPath,
].flatMap((path) => [path, [extraBody, ...path]])

/** Returns the model that a body names. */
export function modelOf(json: unknown): string | undefined {
  const model = valueAt(json, 'model')
  return typeof model === 'string' ? model : undefined
}

/**
 * Yields the models that a provider may use instead of the requested one, or in addition: fallbacks, models of its own
 * tools (OpenAI's `image_generation`, Anthropic's advisor) and of its plugins, and those that a system consists of.
 * `undefined` stands for a model named in a way that we do not understand. A client may name a million, so none is looked
 * for before it is asked for.
 */
export function* furtherModels(json: unknown): Generator<string | undefined> {
  const extra = valueAt(json, extraBody)
  for (const from of [json, extra]) {
    yield* fallbacksIn(from)
    yield* mappedFallbacksIn(from)
    yield* toolModelsIn(from)
    yield* systemModelsIn(from)
    yield* routingsIn(from)
  }
  yield* namesIn(valueAt(json, ...gatewayModelsPath))
  yield* namesIn(valueAt(extra, 'model'))
}

/** Returns the models that headers of the client's name in addition to the requested one. */
export function modelsInHeaders(headers: IncomingHttpHeaders): string[] {
  return modelHeaders.flatMap((name) => headers[name] ?? [])
}

/** Whatever a routing says, it is not understood here. */
function* routingsIn(from: unknown): Generator<undefined> {
  for (const name of routingFields) for (const _ of toList(valueAt(from, name))) yield undefined
}

function* toolModelsIn(from: unknown): Generator<string | undefined> {
  for (const tool of listAt(from, 'tools')) {
    yield* namesIn(valueAt(tool, 'model'))
    yield* panelModelsIn(valueAt(tool, 'parameters'))
  }
  for (const plugin of listAt(from, 'plugins')) yield* panelModelsIn(plugin)
}

function* panelModelsIn(panel: unknown): Generator<string | undefined> {
  for (const name of panelFields) yield* namesIn(valueAt(panel, name))
}

function* systemModelsIn(from: unknown): Generator<string | undefined> {
  yield* namesInMap(valueAt(from, ...compoundModelsPath))
}

/** Yields the fallback models, and the fallbacks of fallbacks, however deep. */
function* fallbacksIn(root: unknown): Generator<string | undefined> {
  const waiting = [root]
  while (waiting.length > 0) {
    const from = waiting.pop()
    for (const name of fallbackFields) {
      for (const model of toList(valueAt(from, name))) {
        yield nameOf(model)
        if (typeof model === 'object') waiting.push(model)
      }
    }
  }
}

function* mappedFallbacksIn(from: unknown): Generator<string | undefined> {
  for (const name of fallbackMapFields) for (const map of toList(valueAt(from, name))) yield* namesInMap(map)
}

/** Yields the models of an object's fields, or of a list. */
function* namesInMap(map: unknown): Generator<string | undefined> {
  if (!isObject(map)) return yield* namesIn(map)
  for (const models of Object.values(map)) yield* namesIn(models)
}

function* namesIn(models: unknown): Generator<string | undefined> {
  for (const model of toList(models)) yield nameOf(model)
}

function toList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

function nameOf(model: unknown): string | undefined {
  return typeof model === 'string' ? model : modelOf(model)
}
