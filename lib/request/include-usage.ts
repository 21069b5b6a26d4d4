import type { Format } from '../formats/index.js'
import { isObject, parsedJson } from '../json.js'
import { skipSpace, topLevelSpans } from '../top-level.js'

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** A request that asks for usage, and whether the client had not asked for it itself. */
interface AsksForUsage {
  readonly bytes: Buffer
  readonly isOurs: boolean
}

/**
 * Makes a streaming request ask for usage. The client's bytes stay as they are, but for what is put in: to parse and
 * write them anew would change numbers that JavaScript cannot hold.
 *
 * @param bytes of a JSON object, not compressed
 */
export function withUsageAsked(bytes: Buffer, format: Format): AsksForUsage {
  if (!format.usageRequest) return { bytes, isOurs: false }
  const [field, flag] = format.usageRequest
  const spans = topLevelSpans(bytes, [field])
  if (!spans) return { bytes, isOurs: false }
  const span = spans.get(field)
  if (!span) return { bytes: withField(bytes, field, { [flag]: true }), isOurs: true }
  const options = parsedJson(bytes.toString('utf8', span.start, span.end))
  if (isObject(options) && options[flag] === true) return { bytes, isOurs: false }
  const value = JSON.stringify({ ...(isObject(options) && options), [flag]: true })
  return {
    bytes: Buffer.concat([bytes.subarray(0, span.start), Buffer.from(value), bytes.subarray(span.end)]),
    isOurs: true,
  }
}

/** The object with one field more, in front of the others. */
function withField(bytes: Buffer, field: string, value: object): Buffer {
  const behind = bytes.indexOf(OPEN_BRACE) + 1
  const isEmpty = bytes[skipSpace(bytes, behind)] === CLOSE_BRACE
  const entry = `${JSON.stringify(field)}:${JSON.stringify(value)}${isEmpty ? '' : ','}`
  return Buffer.concat([bytes.subarray(0, behind), Buffer.from(entry), bytes.subarray(behind)])
}
