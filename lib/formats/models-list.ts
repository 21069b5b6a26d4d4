import { anthropicModels } from './anthropic-models.js'
import { geminiModels } from './gemini-models.js'
import type { CatalogRequest, ModelCatalog } from './model-catalog.js'
import { ollamaModels } from './ollama-models.js'
import { openaiModels } from './openai-models.js'

/** OpenAI's comes last: its paths are those of others, too, and only their headers tell them apart. */
const catalogs: readonly ModelCatalog[] = [ollamaModels, geminiModels, anthropicModels, openaiModels]

/** An answer in JSON. */
interface ModelsAnswer {
  readonly status: number
  readonly body: unknown
}

/**
 * Returns what matches the formats of clients that ask so for the list of models, or for one of them; `undefined` if the
 * request asks for something else.
 */
export function formatsOfModelsRequest(
  method: string,
  path: string,
  headers: CatalogRequest['headers'],
  query = '',
): RegExp | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const request: CatalogRequest = { path, headers, query: new URLSearchParams(query) }
  return catalogs.find((catalog) => catalog.find(request) !== undefined)?.formats
}

/**
 * Answers a request for the list of models, or for one of them, in the client's protocol. An unknown model is answered
 * with 404.
 *
 * @param path percent-decoded, without the target's prefix
 * @param headers of the request, by lower-case names
 * @param names of the models, as clients call them
 * @param query of the request, with or without its `?`
 * @returns `undefined` if the request asks for something else
 */
export function modelsAnswer(
  method: string,
  path: string,
  headers: CatalogRequest['headers'],
  names: readonly string[],
  query = '',
): ModelsAnswer | undefined {
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const request: CatalogRequest = { path, headers, query: new URLSearchParams(query) }
  for (const catalog of catalogs) {
    const asked = catalog.find(request)
    if (!asked) continue
    const { id } = asked
    const all = [...new Set(names)]
    if (id === undefined) return { status: 200, body: catalog.list(all, request.query) }
    if (all.includes(id)) return { status: 200, body: catalog.entry(id) }
    const failure = { code: 'model_not_found', status: 404, message: unknownModel(id, all) }
    return { status: 404, body: catalog.format.errorBody(failure) }
  }
  return undefined
}

/** More names do not help a person who has misspelled one, and a message goes into logs. */
const MAX_NAMES = 19
const MAX_NAMES_LENGTH = 1000
const MAX_SHOWN_NAME = 256

/**
 * Says that a model does not exist, and which ones do if there are few.
 *
 * @param model as the client calls it
 * @param names all names that clients can use; `undefined` if they are not all known
 */
export function unknownModel(model: string, names: readonly string[] | undefined): string {
  const shown = model.length > MAX_SHOWN_NAME ? `${model.slice(0, MAX_SHOWN_NAME)}…` : model
  const list = names && names.length <= MAX_NAMES ? names.join(', ') : ''
  const exist = list === '' || list.length > MAX_NAMES_LENGTH ? '' : `. There are: ${list}`
  return `The model ${shown} does not exist here${exist}`
}
