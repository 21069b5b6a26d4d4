import { valueAt } from '../formats/fields.js'
import type { CompleteFormat } from '../formats/index.js'
import { isObject } from '../json/json.js'
import { type Span, skipSpace, topLevelSpans } from '../json/top-level.js'
import { type BodyBytes, inserted, joinIfShort } from './body-bytes.js'

const MAX_OPTIONS_BYTES = 64 * 1024
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** A request that asks for usage, and whether we added that. */
interface AsksForUsage {
  readonly bytes: BodyBytes
  readonly isOurs: boolean
}

/**
 * Returns whether every provider that accepts the body reads it as asking for a stream. Some accept other values than
 * `true` (Pydantic, and with it vLLM: https://docs.pydantic.dev/latest/api/standard_library_types/#booleans), and the
 * others reject the request anyway. If a provider may read the value as `false`, we do not request usage: that would be
 * an error.
 */
export function certainlyAsksForStream(json: unknown): boolean {
  const stream = isObject(json) ? json.stream : undefined
  return stream === true || stream === 1 || (typeof stream === 'string' && /^(?:true|1|yes|y|on|t)$/i.test(stream))
}

/** Returns whether a request asks for usage. */
export function asksForUsage(json: unknown, { usageRequest }: CompleteFormat): boolean {
  return usageRequest !== undefined && valueAt(json, ...usageRequest) === true
}

/** Returns whether a request, as parsed, has nothing in the field that asks for usage. */
export function hasNoUsageRequest(json: unknown, { usageRequest }: CompleteFormat): boolean {
  return usageRequest !== undefined && isObject(json) && !Object.hasOwn(json, usageRequest[0])
}

/**
 * Makes a streaming request ask for usage. The client's bytes stay as they are except for the insertion: parsing and
 * serializing them would change numbers that JavaScript cannot represent, and fail on deep nesting.
 *
 * @param bytes of a JSON object, not compressed
 * @param known positions of its fields, if known
 */
export function withUsageRequest(
  bytes: Buffer,
  format: CompleteFormat,
  known?: ReadonlyMap<string, Span>,
): AsksForUsage {
  if (!format.usageRequest) return { bytes, isOurs: false }
  const [field, flag] = format.usageRequest
  const spans = known ?? topLevelSpans(bytes, [field])
  if (!spans) return { bytes, isOurs: false }
  const span = spans.get(field)
  if (!span) return { bytes: withField(bytes, entryOf(format.usageRequest)), isOurs: true }
  const options = bytes.subarray(span.start, span.end)
  const asking = withFlag(options, flag)
  if (asking === options) return { bytes, isOurs: false }
  return { bytes: joinIfShort(replaced(bytes, span, asking)), isOurs: true }
}

/** Sets the flag in the field's value: replaces it, or appends it. Returns the same bytes if it was already set. */
function withFlag(options: Buffer, flag: string): Buffer {
  // Nobody has this many options, and scanning 32 MiB of them would hold the event loop.
  const spans = options.length > MAX_OPTIONS_BYTES ? undefined : topLevelSpans(options, [flag])
  if (!spans) return Buffer.from(JSON.stringify({ [flag]: true }))
  const span = spans.get(flag)
  if (span) {
    const isSet = options.toString('latin1', span.start, span.end).trim() === 'true'
    return isSet ? options : Buffer.concat(replaced(options, span, Buffer.from('true')))
  }
  const end = options.lastIndexOf(CLOSE_BRACE)
  const isEmpty = skipSpace(options, options.indexOf(OPEN_BRACE) + 1) === end
  const entry = `${isEmpty ? '' : ','}${JSON.stringify(flag)}:true}`
  return Buffer.concat([options.subarray(0, end), Buffer.from(entry)])
}

function replaced(bytes: Buffer, { start, end }: Pick<Span, 'start' | 'end'>, by: Buffer): Buffer[] {
  return [bytes.subarray(0, start), by, bytes.subarray(end)]
}

/** Returns the field that asks for usage, for an object with other fields. Formats are few, and each has one. */
function entryOf(usageRequest: readonly [field: string, flag: string]): Buffer {
  let entry = entries.get(usageRequest)
  if (!entry) {
    const [field, flag] = usageRequest
    entry = Buffer.from(`${JSON.stringify(field)}:{${JSON.stringify(flag)}:true},`)
    entries.set(usageRequest, entry)
  }
  return entry
}

const entries = new WeakMap<object, Buffer>()

/** Inserts a field at the start of an object. */
function withField(bytes: Buffer, entry: Buffer): BodyBytes {
  const behind = bytes.indexOf(OPEN_BRACE) + 1
  const isEmpty = bytes[skipSpace(bytes, behind)] === CLOSE_BRACE
  return inserted(bytes, behind, isEmpty ? entry.subarray(0, -1) : entry)
}
