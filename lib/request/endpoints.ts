import { fail } from '../check.js'
import { AiProxyError } from '../errors.js'
import type { AiProxyOptions } from '../options.js'
import { remembering } from '../remember.js'

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
  'POST model/*/invoke',
  'POST model/*/invoke-with-response-stream',
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
  return remembering((path) => {
    const whole = targetPrefix + path
    const isMeant = ({ path: rule }: { path: RegExp }) => rule.test(path) || (targetPrefix !== '' && rule.test(whole))
    const methods = rules.filter(isMeant).map((rule) => rule.methods)
    return methods.includes('any') ? 'any' : methods.flat()
  })
}

/**
 * Refuses a request whose path, or whose method on that path, is not among the endpoints; and TRACE in any case, to which
 * a server answers with the request that it got, our credentials and all (RFC 9110, 9.3.8).
 *
 * @throws AiProxyError `endpoint_not_allowed`
 */
export function admitEndpoint(methods: readonly string[] | 'any', method: string): void {
  if (method === 'TRACE') throw new AiProxyError('endpoint_not_allowed', 'TRACE goes nowhere from here')
  if (methods === 'any' || methods.includes(method)) return
  const message =
    methods.length === 0
      ? 'This endpoint is not allowed here (the option `endpoints` says which are)'
      : `This endpoint takes ${methods.join(' and ')}, not ${method}`
  throw new AiProxyError('endpoint_not_allowed', message)
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
