import type { Exchange } from '../exchange/exchange.js'
import type { Span } from '../json/top-level.js'
import type { Config } from '../options/config.js'
import type { RequestBody } from './body.js'
import { asksForUsage, certainlyAsksForStream, hasNoUsageRequest, withUsageRequest } from './include-usage.js'
import { jsonText } from './json-text.js'
import type { UsageRefusals } from './usage-refusals.js'
import { withContent } from './with-content.js'

/** A short body, which is parsed as a whole, needs no search for a field that it does not have. */
const NO_SPANS = new Map<string, Span>()

/** Returns the pieces of a long body in which a target's name for the model was put. Their JSON is parsed as a whole. */
function piecesOf({ json, content, headers }: RequestBody): readonly Buffer[] | undefined {
  const isText = json !== undefined && headers['content-encoding'] === undefined
  return isText && Array.isArray(content) ? content : undefined
}

/**
 * Adds a request for usage to a body that asks for a stream, if its provider reports usage only when asked.
 *
 * @param path the provider's, including the target's prefix
 * @param refusals where the provider is known to reject such a request
 * @returns the same body if nothing is added
 */
export function askForUsage(
  body: RequestBody,
  exchange: Exchange,
  config: Config,
  path: string,
  refusals?: UsageRefusals,
): RequestBody {
  if (!config.includeUsage || !certainlyAsksForStream(body.json) || asksForUsage(body.json, exchange.format))
    return body
  const content = jsonText(body) ?? piecesOf(body)
  if (!content || !exchange.format.takesUsageRequest(config.origin + path) || refusals?.has(exchange)) return body
  if (!Buffer.isBuffer(content)) {
    const [first, ...rest] = content
    if (!first?.includes('{') || !hasNoUsageRequest(body.json, exchange.format)) return body
    const { bytes } = withUsageRequest(first, exchange.format, NO_SPANS)
    return withContent(body, [...(Buffer.isBuffer(bytes) ? [bytes] : bytes), ...rest], body.json)
  }
  const spans = body.spans ?? (hasNoUsageRequest(body.json, exchange.format) ? NO_SPANS : undefined)
  const { bytes, isOurs } = withUsageRequest(content, exchange.format, spans)
  return isOurs ? withContent(body, bytes, body.json) : body
}
