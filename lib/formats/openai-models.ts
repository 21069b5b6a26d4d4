import { type ModelCatalog, modelsPath } from './model-catalog.js'
import { openai } from './openai.js'

/** What precedes `/models` in a base path of OpenAI's protocol: words and versions, but no collection. */
const BASE = /^(?:\/(?:v\d\w*|openai|api|inference|compatible-mode|compatibility|anthropic|deployments|beta))*$/

/** OpenAI's models: https://platform.openai.com/docs/api-reference/models. Nearly every other server has them, too. */
export const openaiModels: ModelCatalog = {
  format: openai,
  formats: /^(?!anthropic|gemini|ollama)/,

  find({ path }) {
    const found = modelsPath(path)
    return found && BASE.test(found.base) ? found : undefined
  },

  list: (names) => ({ object: 'list', data: names.map(entry) }),
  entry,
}

/** When a model was created is not known, and SDKs want a number. */
function entry(id: string): unknown {
  return { id, object: 'model', created: 0, owned_by: 'system' }
}
