import type { ModelCatalog } from './model-catalog.js'
import { ollamaChat } from './ollama.js'

/** Ollama's models: https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models */
export const ollamaModels: ModelCatalog = {
  format: ollamaChat,
  formats: /^ollama/,
  find: ({ path }) => (/^(?:\/[^/]+)?\/api\/tags\/?$/.test(path) ? { id: undefined } : undefined),
  list: (names) => ({ models: names.map(entry) }),
  entry,
}

const UNKNOWN = {
  parent_model: '',
  format: '',
  family: '',
  families: [],
  parameter_size: '',
  quantization_level: '',
}

function entry(name: string): unknown {
  return { name, model: name, modified_at: '1970-01-01T00:00:00Z', size: 0, digest: '', details: UNKNOWN }
}
