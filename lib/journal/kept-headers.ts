import type { OutgoingHttpHeaders } from 'node:http'
import { answerReportHeaders } from '../formats/index.js'

/** Headers that say what the body is; all others are about one request, or about one connection. */
const KEPT = new Set(['content-type', 'content-encoding', 'content-language', 'content-disposition', 'cache-control'])
const KEPT_TOO = new Set(['x-accel-buffering', 'content-security-policy', 'x-content-type-options'])

/** Returns the headers of an answer that go to others who read it. */
export function keptHeaders(headers: OutgoingHttpHeaders): Record<string, string | readonly string[]> {
  const kept: [string, string | readonly string[]][] = []
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase()
    if (value === undefined || !(KEPT.has(name) || KEPT_TOO.has(name) || answerReportHeaders.test(name))) continue
    kept.push([name, typeof value === 'number' ? String(value) : value])
  }
  return Object.fromEntries(kept)
}
