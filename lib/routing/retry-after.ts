import { RETRY_AFTER_MS, SHOULD_RETRY } from '../formats/index.js'

/** Response headers as Node has them, by lower-case names. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

/** `Sun, 06 Nov 1994 08:49:37 GMT`, as all senders should write it. */
const IMF_FIXDATE = /^[a-z]{3}, (?<day>\d\d) (?<month>[a-z]{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) gmt$/i

/** `Sunday, 06-Nov-94 08:49:37 GMT`. */
const RFC_850 = /^[a-z]{6,9}, (?<day>\d\d)-(?<month>[a-z]{3})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) gmt$/i

/** `Sun Nov  6 08:49:37 1994`, which is in UTC. `Date.parse()` would read it as local time. */
const ASCTIME = /^[a-z]{3} (?<month>[a-z]{3}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/i

/**
 * Reads how long a provider asks us to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date, in the
 * three spellings of RFC 9110, 5.6.7.
 *
 * @param now milliseconds since the epoch
 * @returns milliseconds, 0 if the date has passed, of any size: the caller bounds them; `undefined` if there is no such
 * header, or it cannot be read
 */
export function retryAfterMs(headers: ResponseHeaders, now: number): number | undefined {
  const ms = amount(first(headers[RETRY_AFTER_MS]))
  if (ms !== undefined) return ms
  const text = first(headers['retry-after'])
  const seconds = amount(text)
  if (seconds !== undefined) return seconds * 1000
  const date = httpDate(text, now)
  return date === undefined ? undefined : Math.max(0, date - now)
}

/**
 * Reads what a provider says about whether the same request to it may succeed later. OpenAI's and Anthropic's SDKs obey
 * it, whatever the status.
 *
 * @returns `undefined` if there is no such header, or it says something else
 */
export function shouldRetry(headers: ResponseHeaders): boolean | undefined {
  const says = first(headers[SHOULD_RETRY]).toLowerCase()
  return says === 'true' ? true : says === 'false' ? false : undefined
}

function first(value: string | readonly string[] | undefined): string {
  const text = typeof value === 'string' ? value : value?.[0]
  return text?.trim() ?? ''
}

/** A number of at least 0 in decimal notation. `Number()` alone would also accept '', `0x10`, `1e9` and `Infinity`. */
function amount(text: string): number | undefined {
  if (!/^\d+(\.\d*)?$/.test(text)) return undefined
  const value = Number(text)
  // Leaves room for the conversion to milliseconds.
  return value <= Number.MAX_VALUE / 1000 ? value : undefined
}

function httpDate(text: string, now: number): number | undefined {
  const { day, month, year, time } = (IMF_FIXDATE.exec(text) ?? RFC_850.exec(text) ?? ASCTIME.exec(text))?.groups ?? {}
  if (!day || !month || !year || !time) return undefined
  const [hours, minutes, seconds] = time.split(':').map(Number) as [number, number, number]
  const monthIndex = MONTHS.indexOf(month.toLowerCase())
  // 60 is a leap second.
  if (monthIndex === -1 || hours > 23 || minutes > 59 || seconds > 60) return undefined
  const inYear = year.length === 2 ? fullYear(Number(year), now) : Number(year)
  const midnight = Date.UTC(inYear, monthIndex, Number(day))
  // 31 February would pass for 3 March.
  if (new Date(midnight).getUTCMonth() !== monthIndex) return undefined
  return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000
}

/** RFC 9110: the last year with these two digits that is no more than 50 years ahead. */
function fullYear(twoDigits: number, now: number): number {
  const latest = new Date(now).getUTCFullYear() + 50
  return latest - ((latest - twoDigits) % 100)
}
