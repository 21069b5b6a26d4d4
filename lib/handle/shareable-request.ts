import type { CacheableRequest } from '../api/cache.js'
import type { Exchange } from '../exchange/exchange.js'
import { beginsTask, joinsConversation, temperatureOf } from '../formats/index.js'
import { cacheKey, ownKey } from '../journal/cache-key.js'
import { hasRepeatedNames } from '../json/repeated-names.js'
import { exceeds } from '../json/run-survey.js'
import type { ResolvedCache } from '../options/cache.js'
import type { Config } from '../options/config.js'
import { isCredentialHeader, isCredentialParameter } from '../options/credential-names.js'
import type { Edited } from '../request/edit.js'
import { forwardedHeaders } from '../request/headers.js'
import { jsonText } from '../request/json-text.js'
import type { ProviderPath } from '../request/provider-path.js'
import { holdsConsumedKey } from '../util/consumed-keys.js'

/** The key of a longer request would take too long. */
const MAX_BODY_BYTES = 256 * 1024
/** In short numbers: 10,000 fields, or 20,000 objects. */
const MAX_WORK = 200_000

/** A request whose answer others may get, or have got. */
export interface ShareableRequest {
  readonly key: string
  readonly scope: string
  /** A kept answer will do, or one that is under way. */
  readonly mayRead: boolean
  /** The answer may be kept. */
  readonly mayStore: boolean
}

/**
 * Returns what tells a request from others; `undefined` if no other request may have its answer. Throws what the app's functions
 * throw.
 */
export function shareableRequest(
  exchange: Exchange,
  path: ProviderPath,
  edited: Edited,
  config: Config,
  cache: ResolvedCache,
): ShareableRequest | undefined {
  const { client, asksForStream } = exchange
  const control = directivesOf(client.headers['cache-control'])
  const { json } = edited.body
  const text = jsonText(edited.body)
  if (control.has('no-store') || client.method !== 'POST') return undefined
  if (typeof json !== 'object' || json === null || !text || text.length > MAX_BODY_BYTES) return undefined
  if (exceeds(text, { work: MAX_WORK })) return undefined
  if (hasRepeatedNames(text)) return undefined
  // Its answer is a task, which only the client that began it reads later.
  if (!asksForStream && beginsTask(json)) return undefined
  const view = exchange.hookView()
  const request: CacheableRequest = { body: json }
  // What the provider keeps of a conversation decides its next answer, and each answer changes it.
  const said = cache.when(request, view) ?? (joinsConversation(json) ? false : undefined)
  const mayStore = said ?? temperatureOf(json) === 0
  if (said === false || !(mayStore || cache.joins)) return undefined
  const scope = cache.scope(view)
  const own = cache.key(request, view)
  const key = own === undefined ? usualKey(scope, exchange, path, edited, config) : ownKey(scope, own, asksForStream)
  return key === undefined ? undefined : { key, scope, mayRead: !control.has('no-cache'), mayStore }
}

function usualKey(
  scope: string,
  exchange: Exchange,
  path: ProviderPath,
  { body, headers }: Edited,
  config: Config,
): string | undefined {
  const { client, format, asksForStream } = exchange
  const passing = forwardedHeaders(client.headers, (name) => config.forwards(name, exchange))
  const sent = { ...passing, ...headers }
  const open = Object.entries(sent).filter(
    ([name, value]) => !isCredentialHeader(name) && !holdsConsumedKey(client.headers, value),
  )
  const query = [...new URLSearchParams(path.query)].filter(([name]) => !isCredentialParameter(name))
  try {
    return cacheKey({
      scope,
      targets: config.routing ? config.routing.targets.map(({ name }) => name) : [config.origin + config.prefix],
      path: path.decoded,
      query,
      headers: Object.fromEntries(open),
      body: body.json,
      ignoredHeaders: format.headersWithoutEffect,
      ignoredFields: format.fieldsWithoutEffect,
      stream: asksForStream,
    })
  } catch {
    // Nested too deeply to be written, or with a number that is not exact.
    return undefined
  }
}

function directivesOf(header: string | undefined): ReadonlySet<string> {
  return new Set(
    (header ?? '')
      .toLowerCase()
      .split(',')
      .map((each) => each.trim().split('=', 1)[0]!),
  )
}
