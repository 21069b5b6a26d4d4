import { anthropic } from './anthropic.js'
import { type ModelCatalog, modelsPath } from './model-catalog.js'

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 1000

/** Anthropic's models, in pages: https://docs.anthropic.com/en/api/models-list */
export const anthropicModels: ModelCatalog = {
  format: anthropic,
  formats: /^anthropic/,

  find({ path, headers }) {
    const found = modelsPath(path)
    if (!found || !/^(?:\/(?:anthropic|v\d+))*$/.test(found.base)) return undefined
    const isClient = headers['anthropic-version'] !== undefined || headers['x-api-key'] !== undefined
    return isClient || found.base.startsWith('/anthropic') ? found : undefined
  },

  list(names, query) {
    const { page, hasMore } = pageOf(names, query)
    return { data: page.map(entry), has_more: hasMore, first_id: page[0] ?? null, last_id: page.at(-1) ?? null }
  },

  entry,
}

/** Returns the models after `after_id`, or the last ones before `before_id`. */
function pageOf(names: readonly string[], query: URLSearchParams): { page: readonly string[]; hasMore: boolean } {
  const asked = Number(query.get('limit') ?? DEFAULT_LIMIT)
  const limit = Number.isInteger(asked) && asked > 0 ? Math.min(asked, MAX_LIMIT) : DEFAULT_LIMIT
  const before = query.get('before_id')
  if (before !== null) {
    const end = Math.max(0, names.indexOf(before))
    const start = Math.max(0, end - limit)
    return { page: names.slice(start, end), hasMore: start > 0 }
  }
  const after = query.get('after_id')
  const at = after === null ? -1 : names.indexOf(after)
  const start = after !== null && at === -1 ? names.length : at + 1
  return { page: names.slice(start, start + limit), hasMore: start + limit < names.length }
}

/** Anthropic's own value for a date that is not known is the epoch. */
function entry(id: string): unknown {
  return { type: 'model', id, display_name: id, created_at: '1970-01-01T00:00:00Z' }
}
