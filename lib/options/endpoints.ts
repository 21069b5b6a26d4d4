import type { AiProxyOptions } from '../api/options.js'
import { isAboutResource } from '../formats/index.js'
import { memoize } from '../util/memoize.js'
import { defaultEndpoints, uploadEndpoints } from './default-endpoints.js'
import { compilePathRule } from './path-rule.js'
import { invalidOption } from './validate.js'

/** Returns the methods that a provider path allows: `'any'`, or an empty list if the path is not allowed at all. */
export type EndpointFilter = (decodedPath: string) => readonly string[] | 'any'

interface Rule {
  readonly methods: readonly string[] | 'any'
  matches(path: string, segments: readonly string[]): boolean
}

/**
 * Compiles the `endpoints` option.
 *
 * @param targetPrefix path of the target: `/chat` below a target that ends in `/v2` is `/v2/chat`
 * @param readsRequests whether bodies are checked or changed: endpoints for uploads, which nothing reads, are then open
 *   only if the app names them
 * @param ofFormat rules of the app's own format, open by default
 * @throws TypeError if it is neither `'all'` nor a list of strings and RegExps
 */
export function compileEndpoints(
  option: AiProxyOptions['endpoints'],
  targetPrefix: string,
  readsRequests = false,
  ofFormat: readonly string[] = [],
): EndpointFilter {
  if (option === 'all') return () => 'any'
  if (option !== undefined && !Array.isArray(option))
    invalidOption('endpoints', option, "a list of strings and RegExps, or 'all'")
  const closed = readsRequests ? uploadEndpoints : []
  const given = option ?? [...defaultEndpoints, ...ofFormat].filter((rule) => !closed.includes(rule))
  const rules = given.map((rule, at) => compileRule(rule, `endpoints[${at}]`))
  const methodsOf = (path: string) => {
    const spellings = targetPrefix === '' ? [path] : [path, targetPrefix + path]
    const split = spellings.map((each) => [each, each.slice(1).split('/')] as const)
    const meant = rules.filter((rule) => split.some(([each, segments]) => rule.matches(each, segments)))
    const methods = meant.map((rule) => rule.methods)
    return methods.includes('any') ? 'any' : [...new Set(methods.flat())]
  }
  return memoize((path) => {
    const methods = methodsOf(path)
    // Some servers decode a path before they split it at slashes: the path as they read it must be allowed, too.
    const other = path.includes('%2F') && !isAboutResource(path) ? methodsOf(path.replaceAll('%2F', '/')) : 'any'
    if (other === 'any') return methods
    return methods === 'any' ? other : methods.filter((method) => other.includes(method))
  })
}

function compileRule(rule: string | RegExp, option: string): Rule {
  if (rule instanceof RegExp) {
    // The flags `g` and `y` make a RegExp keep state between calls. How long it runs is the app's responsibility.
    const pattern = new RegExp(rule.source, rule.flags.replace(/[gy]/g, ''))
    return { methods: 'any', matches: (path) => pattern.test(path) }
  }
  const compiled = typeof rule === 'string' ? compilePathRule(rule) : undefined
  if (!compiled) invalidOption(option, rule, "a path like 'chat/completions' or 'GET files/*', or a RegExp")
  return { methods: compiled.methods, matches: (_, segments) => compiled.matches(segments) }
}
