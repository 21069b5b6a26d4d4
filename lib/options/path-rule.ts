/** A string rule of `endpoints`, compiled. */
export interface PathRule {
  readonly methods: readonly string[] | 'any'
  /** @param segments of the decoded path, without the slash that it begins with */
  matches(segments: readonly string[]): boolean
}

// `/v1`, `/v1beta`, `/v2alpha1`, and what stands before or in its place: `/openai` (Azure, Groq; Gemini has it behind
// the version), `/api` (Ollama, OpenRouter).
const VERSION_PREFIX = /^(?:openai\/|api\/)?(?:v\d+(?:(?:alpha|beta)\d*)?\/)?(?:openai\/)?$/

/** Segments of a base path: versions, names and ids, nothing that servers read differently. */
const PLAIN = /^(?:v\d+(?:\.\d+)?(?:(?:alpha|beta)\d*)?|(?![vV](?:\d|$))[\w.:@-]+(?<!\.))$/

// No base path has more; Vertex AI has six (`v1/projects/…/locations/…/publishers/…`), Cloudflare's gateways as many.
const LONGEST_BASE = 12

/**
 * Collections of an API. A base path has none of them: what stands below a collection is about one of its members, whatever
 * its last segments are called (`threads/ID/messages`), or for the model that the collection's member is.
 */
const COLLECTIONS = new Set([
  ...[
    'files',
    'uploads',
    'batches',
    'fine_tuning',
    'fine-tuning',
    'fine-tunes',
    'vector_stores',
    'threads',
    'assistants',
  ],
  ...['videos', 'realtime', 'evals', 'containers', 'skills', 'organization', 'organizations', 'admin', 'chat'],
  ...['completions', 'embeddings', 'responses', 'messages', 'conversations', 'interactions', 'images', 'audio'],
  ...['model', 'models', 'tunedmodels', 'engines', 'deployments', 'endpoints', 'serving-endpoints', 'cachedcontents'],
])

// Google's custom methods (https://google.aip.dev/136): `models/x:generateContent`.
const CUSTOM_METHOD = /:(?:[a-z]+[A-Z]|(?:copy|explain|export|predict|upload)\b)/
// OpenAI's fine-tuned models have colons, and ids in mixed case behind them.
const FINE_TUNED = /^ft:/

// A rule is like `chat/completions`, `GET files/*` or `POST **/models/*:predict`. It matches under any version prefix, with
// `**` in front under any base path. `*` stands for a part of one segment, of at least one character, but never for one of
// Google's custom methods: those are endpoints of their own. GET takes HEAD, too.

/** Compiles a rule of `endpoints`; `undefined` if it is not spelled as one can be. */
export function compilePathRule(rule: string): PathRule | undefined {
  const [, method, spelled] = /^(?:([A-Z]+) +)?(\/|\/?[^\s?#]+)$/.exec(rule) ?? []
  if (spelled === undefined) return undefined
  const methods = method === undefined ? ('any' as const) : method === 'GET' ? ['GET', 'HEAD'] : [method]
  if (spelled === '/') return { methods, matches: ([first, ...more]) => first === '' && more.length === 0 }
  const anyBase = /^\/?\*\*\//.test(spelled)
  const path = spelled.replace(anyBase ? /^\/?\*\*\// : /^\//, '')
  if (path === '' || path.includes('**')) return undefined
  const globs = path.split('/').map((segment) => segment.split('*'))
  const last = globs[globs.length - 1]!
  const takesCustomMethod = last.some((piece) => piece.includes(':'))
  return {
    methods,
    matches(segments) {
      const start = segments.length - globs.length
      if (start < 0 || !globs.every((pieces, at) => matchesGlob(pieces, segments[start + at]!))) return false
      const base = segments.slice(0, start)
      if (anyBase ? !isBase(base) : !VERSION_PREFIX.test(base.map((segment) => `${segment}/`).join(''))) return false
      return takesCustomMethod || last.length === 1 || !hasCustomMethod(segments[segments.length - 1]!)
    },
  }
}

function isBase(segments: readonly string[]): boolean {
  const isVersion = (segment: string | undefined) => segment !== undefined && /^v\d/.test(segment)
  const isPart = (segment: string, at: number) =>
    PLAIN.test(segment) &&
    !COLLECTIONS.has(segment.toLowerCase()) &&
    // `/v1/v1` is a version in the target and in the client's URL.
    !(isVersion(segment) && isVersion(segments[at - 1]))
  return segments.length <= LONGEST_BASE && segments.every(isPart)
}

function hasCustomMethod(segment: string): boolean {
  return CUSTOM_METHOD.test(segment) && !FINE_TUNED.test(segment)
}

/**
 * Whether a text is these pieces in their order, with at least one character between each two. Every character is passed
 * once: a RegExp would try all ways to share out the characters between the pieces.
 */
export function matchesGlob(
  pieces: readonly string[],
  text: Pick<string, 'length' | 'startsWith' | 'endsWith' | 'indexOf'> | string,
): boolean {
  const first = pieces[0]!
  if (!text.startsWith(first)) return false
  if (pieces.length === 1) return text.length === first.length
  let end = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, end + 1)
    if (found === -1) return false
    end = found + piece.length
  }
  const last = pieces[pieces.length - 1]!
  return text.endsWith(last) && text.length - last.length > end
}
