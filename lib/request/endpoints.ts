import { fail } from '../check.js'
import type { AiProxyOptions } from '../options.js'

/** The methods with which a provider path may be requested; `'any'`, or none where it is not allowed at all. */
export type EndpointFilter = (decodedPath: string) => readonly string[] | 'any'

/**
 * The endpoints that can be reached by default: those that generate, count tokens, embed, or list models.
 * `*` stands for a part of one path segment.
 */
export const defaultEndpoints: readonly string[] = [
  'POST chat/completions',
  'POST completions',
  'POST responses',
  'POST embeddings',
  'POST messages',
  'POST messages/count_tokens',
  'GET models',
  'GET models/*',
  'POST models/*:generateContent',
  'POST models/*:streamGenerateContent',
  'POST models/*:countTokens',
  'POST models/*:embedContent',
  'POST models/*:batchEmbedContents',
  'POST model/*/converse',
  'POST model/*/converse-stream',
  'POST chat',
  'POST generate',
  'POST deployments/*/chat/completions',
  'POST deployments/*/completions',
  'POST deployments/*/embeddings',
  'POST deployments/*/responses',
]

// `/v1`, `/v1beta`, `/v2alpha1`, and what stands before or in its place: `/openai` (Azure, Groq; Gemini has it behind
// the version), `/api` (Ollama, OpenRouter).
const VERSION_PREFIX = String.raw`(?:/openai|/api)?(?:/v\d+(?:(?:alpha|beta)\d*)?)?(?:/openai)?`

// Two of the paths above are endpoints of one provider each and too short to be open under every prefix.
const OWN_PREFIX = new Map([
  ['chat', '(?:/api|(?:/api)?/v2)'],
  ['generate', '/api'],
])

const MOST_REMEMBERED = 500

/**
 * Compiles the `endpoints` option.
 *
 * @param targetPrefix path of the target: `/chat` below a target that ends in `/v2` is Cohere's `/v2/chat`
 * @throws TypeError where it is neither `'all'` nor a list of strings and RegExps
 */
export function compileEndpoints(option: AiProxyOptions['endpoints'], targetPrefix: string): EndpointFilter {
  if (option === 'all') return () => 'any'
  if (option !== undefined && !Array.isArray(option))
    fail('endpoints', option, "a list of strings and RegExps, or 'all'")
  const rules = option
    ? option.map((rule, at) => compileRule(rule, `endpoints[${at}]`))
    : defaultEndpoints.map((rule) => compileRule(rule, 'endpoints', OWN_PREFIX))
  const methodsOf = (path: string) => {
    const whole = targetPrefix + path
    const methods = rules.filter((rule) => rule.path.test(path) || rule.path.test(whole)).map((rule) => rule.methods)
    return methods.includes('any') ? 'any' : methods.flat()
  }
  return remembering(methodsOf)
}

/** Remembers what a function gave; apps use few paths. A client that tries many cannot make it remember more than that. */
function remembering<T>(work: (path: string) => T): (path: string) => T {
  const known = new Map<string, T>()
  return (path) => {
    const remembered = known.get(path)
    if (remembered !== undefined) return remembered
    const result = work(path)
    if (known.size >= MOST_REMEMBERED) known.clear()
    known.set(path, result)
    return result
  }
}

function compileRule(rule: string | RegExp, option: string, prefixes = new Map<string, string>()) {
  // Without the flags that make a RegExp remember where it stopped.
  if (rule instanceof RegExp)
    return { methods: 'any' as const, path: new RegExp(rule.source, rule.flags.replace(/[gy]/g, '')) }
  const parts = typeof rule === 'string' ? /^(?:([A-Z]+) +)?\/?([^\s?#]+)$/.exec(rule) : null
  if (!parts) fail(option, rule, "a path like 'chat/completions' or 'GET files/*', or a RegExp")
  const [, method, path = ''] = parts
  const pattern = path.split('*').map(escapeRegExp).join('[^/]+')
  // What is allowed to be read may be asked for its head, too.
  const methods = method === undefined ? ('any' as const) : method === 'GET' ? ['GET', 'HEAD'] : [method]
  return { methods, path: new RegExp(`^${prefixes.get(path) ?? VERSION_PREFIX}/${pattern}$`) }
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
