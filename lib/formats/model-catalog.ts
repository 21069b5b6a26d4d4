import type { CompleteFormat } from './complete.js'

/** A request that reads the list of models, or one of them. */
export interface CatalogRequest {
  /** Percent-decoded; a slash in a model's name may be `%2F`. */
  readonly path: string
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly query: URLSearchParams
}

/** How one protocol lists the models that exist. */
export interface ModelCatalog {
  /** The format whose errors its clients read. */
  readonly format: Pick<CompleteFormat, 'errorBody'>
  /** Matches the names of the formats that its clients speak. */
  readonly formats: RegExp
  /**
   * Returns what a request asks for, if it speaks this protocol: one model by its id, or all of them if `id` is
   * `undefined`.
   */
  find(request: CatalogRequest): { readonly id: string | undefined } | undefined
  /** Creates the answer with all models. */
  list(names: readonly string[], query: URLSearchParams): unknown
  /** Creates the answer with one model. */
  entry(name: string): unknown
}

const MODELS = /^((?:\/[^/]+)*?)\/models(?:\/(.+?))?\/?$/
/** What is below a model is not the model: operations (Google), endpoints that run it (OpenRouter). */
const BELOW_MODEL = /\/(?:operations(?:\/.*)?|endpoints)$/

/**
 * Splits a path like `/v1/models/ID`.
 *
 * @returns the part before `/models`, and the id; `undefined` for any other path
 */
export function modelsPath(path: string): { readonly base: string; readonly id: string | undefined } | undefined {
  const [, base, id] = MODELS.exec(path) ?? []
  if (base === undefined || (id !== undefined && BELOW_MODEL.test(id))) return undefined
  return { base, id: id?.replaceAll('%2F', '/') }
}
