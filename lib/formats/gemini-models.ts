import { gemini } from './gemini.js'
import { type ModelCatalog, modelsPath } from './model-catalog.js'

const METHODS = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent', 'batchEmbedContents']

/** Google's models, all on one page: https://ai.google.dev/api/models */
export const geminiModels: ModelCatalog = {
  format: gemini,
  formats: /^gemini/,

  find({ path, headers, query }) {
    const found = modelsPath(path)
    const [, version] = /^(?:\/[^/]+)??\/(v\d+(?:(?:alpha|beta)\d*)?)$/.exec(found?.base ?? '') ?? []
    if (!found || version === undefined) return undefined
    // Versions with a word are Google's; `v1` is that of others, too.
    const isClient = headers['x-goog-api-key'] !== undefined || headers['x-goog-api-client'] !== undefined
    return /[ab]/.test(version) || isClient || query.has('key') ? found : undefined
  },

  list: (names) => ({ models: names.map(entry) }),
  entry,
}

function entry(id: string): unknown {
  return { name: `models/${id}`, displayName: id, supportedGenerationMethods: METHODS }
}
