import { tryParseJson } from './json.js'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/**
 * Returns whether an object somewhere in a JSON text has a name twice: readers disagree about which counts.
 * `JSON.parse` keeps one of them. A text that is no JSON has none.
 */
export function hasRepeatedNames(text: Buffer): boolean {
  const parsed = tryParseJson(text.toString())
  return parsed !== undefined && countColons(text) !== countNames(parsed)
}

/** Outside of strings, a colon stands after each name, and nowhere else. */
function countColons(text: Buffer): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const byte = text[at]
    if (byte === COLON) count++
    else if (byte === QUOTE) at = endOfString(text, at + 1)
  }
  return count
}

/** @returns the index of the closing quote */
function endOfString(text: Buffer, from: number): number {
  let at = text.indexOf(QUOTE, from)
  while (at !== -1 && isEscaped(text, at)) at = text.indexOf(QUOTE, at + 1)
  return at === -1 ? text.length : at
}

function isEscaped(text: Buffer, at: number): boolean {
  let backslashes = 0
  while (text[at - 1 - backslashes] === BACKSLASH) backslashes++
  return backslashes % 2 === 1
}

function countNames(parsed: unknown): number {
  let count = 0
  const waiting = [parsed]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    const inner = Object.values(value)
    if (!Array.isArray(value)) count += inner.length
    for (const each of inner) waiting.push(each)
  }
  return count
}
