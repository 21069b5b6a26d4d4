import { STATUS_CODES } from 'node:http'
import { isObject, tryParseJson } from '../json/json.js'
import { statusOfError } from './error-status.js'
import { errorText, MESSAGE_FIELDS, sentenceOf } from './error-text.js'
import { anyErrorIn } from './failures.js'
import { listAt, textAt } from './fields.js'
import type { JsonObject } from './format.js'
import { hasNoAnswer } from './no-answer.js'
import { reportsFailure } from './top-level-error.js'

/**
 * - `Error: …`, `[ERROR] …`, `openai.RateLimitError: …`, `An upstream error: …`, or nothing but that: `ERROR`
 * - `An error occurred …`, `error code: 502` (Cloudflare), `upstream connect error or disconnect …`, `no healthy upstream`
 *   (Envoy), `Rate limit exceeded`
 * - the names of HTTP's statuses, also after their numbers: `502 Bad Gateway`, `HTTP/1.1 502 Bad Gateway`. Those of clients'
 *   errors only if there is nothing else: `Forbidden`
 */
const ERROR_SENTENCES = [
  /^\W{0,4}(?:[\w.]{1,40} ){0,3}[\w.]{0,60}(?:error|exception)\s*(?:[:\])}–—-]|[.!]*$)/i,
  /^\W{0,4}(?:an? )?(?:[\w.]{1,40} )?error (?:has )?(?:occurred\b|code\s*:)/i,
  /^\W{0,4}(?:upstream connect error|upstream request timeout|no healthy upstream|rate limit (?:exceeded|reached))\b/i,
  /^\W{0,4}(?:HTTP(?:\/[\d.]{1,3})? )?(?:[45]\d\d[ :-]{1,3})?(?:internal server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out|too many requests)\b/i,
  new RegExp(
    `^\\W{0,4}(?:HTTP(?:/[\\d.]{1,3})? )?(?:[45]\\d\\d[ :-]{1,3})?(?:${namesOfFailures().join('|')})\\W{0,4}$`,
    'i',
  ),
]

function namesOfFailures(): (string | undefined)[] {
  return Object.entries(STATUS_CODES).flatMap(([status, name]) => (Number(status) >= 400 ? [name] : []))
}

/** `no error: …` */
const NO_ERROR = /^\W{0,4}(?:[\w.]{1,40} ){0,2}(?:no|without|0) (?:[\w.]{1,40} )?(?:error|exception)/i

/** A page of HTML, or the error of a store in XML. */
const PAGE = /^\s*<(?:!doctype|html|head|body|\?xml|error)\b/i

/** Returns whether a text in place of a message says that something failed. */
function isErrorSentence(text: string): boolean {
  const start = text.slice(0, MAX_SENTENCE_CHARS)
  if (PAGE.test(start)) return true
  return ERROR_SENTENCES.some((pattern) => pattern.test(start)) && !NO_ERROR.test(start)
}

const MAX_SENTENCE_CHARS = 300

/**
 * Returns what a message says that is not one of its protocol's, and has nothing that could be of an answer: `undefined` if
 * it may be one of another protocol, which compatible servers speak.
 *
 * @param data parsed JSON; `undefined` if it is not JSON
 * @param text the message itself
 */
export function saidWithoutAnswer(data: unknown, text: string): string | undefined {
  const said = data ?? text
  if (typeof said === 'string') {
    return WORDS.test(said.slice(0, MAX_SENTENCE_CHARS)) ? said.slice(0, MAX_ERROR_CHARS) : undefined
  }
  return isObject(said) ? sentenceWithoutAnswer(said) : undefined
}

/** A single word may be a mark of any protocol, such as `[DONE]`. Chinese, Japanese and Thai have no spaces. */
const WORDS = /\p{L}\p{L} \p{L}\p{L}|[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]{3}/u

/** Returns the sentence of an object that has nothing which could be of an answer, or its word for an error. */
export function sentenceWithoutAnswer(data: JsonObject): string | undefined {
  const isFailed = reportsFailure(data)
  const isAboutFailure = (field: string) => PROBLEMS.has(field) || (isFailed && field === 'data')
  const rest = Object.fromEntries(Object.entries(data).filter(([field]) => !isAboutFailure(field)))
  if (!hasNoAnswer(rest) || OTHER_ANSWER_FIELDS.some((field) => textAt(rest, field))) return undefined
  const sentence = sentenceOf(data) ?? VAGUE_FIELDS.map((field) => textAt(data, field)).find(Boolean)
  const said = sentence ?? firstProblemIn(data)
  return (said ?? (isFailed || statusOfError(data) !== undefined ? errorText(data) : undefined))?.slice(
    0,
    MAX_ERROR_CHARS,
  )
}

/** Names of lists of what was wrong with a request. */
const PROBLEMS: ReadonlySet<string> = new Set(['problems', 'issues', 'violations', 'invalid_params', 'invalid-params'])

function firstProblemIn(data: JsonObject): string | undefined {
  const [problem] = [...PROBLEMS].flatMap((field) => listAt(data, field))
  return problem === undefined ? undefined : errorText(problem)
}

/** Where a sentence is found that may also describe anything else. */
const VAGUE_FIELDS = [
  'description',
  'reason',
  'info',
  'detail',
  'details',
  'traceback',
  'stack',
  'stacktrace',
  'stackTrace',
]

/** Where other protocols have the text, sound or pictures of an answer. */
const OTHER_ANSWER_FIELDS = ['result', 'answer', 'reply', 'data', 'chunk', 'value', 'generation', 'outputText', 'audio']

/**
 * Returns the error in place of a message, in a protocol whose messages are objects: a sentence, a page, an error
 * in JSON that was written as a string of JSON once more, or a `message` that says so, and nothing else.
 *
 * @param data parsed JSON, or a text that is not JSON
 */
export function spokenErrorIn(data: unknown): string | undefined {
  if (typeof data === 'string') {
    const mayBeJson = data.length <= MAX_ENCLOSED_CHARS && data.trimStart().startsWith('{')
    return (
      anyErrorIn(mayBeJson ? tryParseJson(data) : undefined) ??
      (isErrorSentence(data) ? data.slice(0, MAX_ERROR_CHARS) : undefined)
    )
  }
  if (!isObject(data) || !Object.keys(data).every((field) => FIELDS_OF_MESSAGE.has(field))) return undefined
  const sentence = MESSAGE_FIELDS.map((field) => textAt(data, field)).find(Boolean)
  return sentence !== undefined && isErrorSentence(sentence) ? sentence : undefined
}

const MAX_ERROR_CHARS = 1000
const MAX_ENCLOSED_CHARS = 4096
const FIELDS_OF_MESSAGE = new Set(['message', 'Message', 'msg', 'request_id', 'requestId', 'requestid'])
