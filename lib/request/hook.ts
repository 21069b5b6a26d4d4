import { AiProxyError, isA } from '../api/errors.js'
import type { HookedRequest, OnRequest } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Edit } from '../json/apply-edit.js'
import { copyIncrementally } from '../json/copy.js'
import { diffJson } from '../json/diff.js'
import { parseIncrementally } from '../json/incremental-parse.js'
import { parseJsonBytes } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns } from '../scheduling/turns.js'
import { headerFault } from '../util/header-fault.js'
import type { RequestBody } from './body.js'
import { isInMemory, joined } from './body-bytes.js'
import { type FinishedAnswer, finishedAnswer } from './hook-answer.js'
import { jsonText } from './json-text.js'

/** What became of a request in `onRequest`. */
interface Hooked {
  /** As it was, or as the app wants it. */
  readonly body: RequestBody
  readonly headers: Readonly<Record<string, string>>
  /** The app answers itself. */
  readonly answer: FinishedAnswer | undefined
  /** The app has seen the bytes that go out, for a signature: they must not change any more. */
  readonly isSigned: boolean
}

/**
 * Writes another value in the place of a body's.
 *
 * @param edit what differs, if the body is JSON
 */
type Rewrite = (body: RequestBody, json: unknown, edit: Edit | undefined) => RequestBody

/**
 * Lets the app see a request, and change it.
 *
 * @param rewrite is called if the app has changed the body
 * @param finish what is done with a body before it goes out
 * @throws AiProxyError with the status of what the hook threw, or `internal_error`
 */
export async function runHook(
  hook: OnRequest,
  exchange: Exchange,
  body: RequestBody,
  rewrite: Rewrite,
  finish: (body: RequestBody) => RequestBody = (unchanged) => unchanged,
): Promise<Hooked> {
  const headers: Record<string, string> = {}
  let isSigned = false
  const isOfApp = (exchange.req as { body?: unknown }).body === body.json
  const bodyOf = await changesOf(body, rewrite, isOfApp, () => exchange.isSettled)
  const view = {
    ...exchange.hookView(),
    body: body.json,
    headers,
    get rawBody() {
      isSigned = true
      const { content } = finish(bodyOf(this.body))
      return content && isInMemory(content) ? joined(content) : undefined
    },
  }
  let answer: unknown
  try {
    answer = await hook(view as HookedRequest)
  } catch (thrown) {
    throw refusal(thrown)
  }
  const finished = finishedAnswer(answer)
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault) throw new HookFault(`onRequest gave a header that cannot go to the provider: ${fault}`)
  }
  if (finished) return { body, headers, answer: finished, isSigned }
  return { body: changedBy(() => bodyOf(view.body)), headers, answer: undefined, isSigned }
}

/** @throws HookFault where the app has made of the body what JSON cannot say */
function changedBy(change: () => RequestBody): RequestBody {
  try {
    return change()
  } catch (cause) {
    if (cause instanceof AiProxyError) throw cause
    throw new HookFault('onRequest left a body that cannot be written as JSON', { cause })
  }
}

/** Larger text is parsed in turns. */
const PARSED_AT_ONCE_BYTES = 64 * 1024

/**
 * The body that says what a hook has made of its value: the same one if that is what it says already.
 *
 * @param isOfApp the value is one that the app has made, and may say more than its text
 */
async function changesOf(
  body: RequestBody,
  rewrite: Rewrite,
  isOfApp: boolean,
  isUnneeded: () => boolean,
): Promise<(json: unknown) => RequestBody> {
  const { json: given } = body
  const text = jsonText(body)
  // The hook may change the very object that it sees: what it was is read from the text again, or copied.
  const isLong = text !== undefined && text.length > PARSED_AT_ONCE_BYTES
  let before = isLong
    ? await runInTurns(isOfApp ? parseIncrementally(text) : copyIncrementally(given), sharedTurns(), isUnneeded)
    : undefined
  return (json) => {
    if (given === undefined || json === undefined) return json === given ? body : rewrite(body, json, undefined)
    before ??= text && parseJsonBytes(text)
    const edit = diffJson(before, json)
    return edit === undefined ? body : rewrite(body, json, edit)
  }
}

/** Whether a hook has refused the request, by throwing an error with a status: that is no fault. */
export function isRefusal(thrown: unknown): boolean {
  return isA(AiProxyError, thrown) || refusal(thrown) !== thrown
}

/** What a hook threw, as a failure: `http-errors` and their like carry a status, and say whether they may be shown. */
function refusal(thrown: unknown): unknown {
  if (isA(AiProxyError, thrown)) return thrown
  try {
    return asRefusal(thrown) ?? thrown
  } catch {
    // An error whose status cannot be read is no refusal: HTTP clients' have getters that fail without a response.
    return thrown
  }
}

function asRefusal(thrown: unknown): AiProxyError | undefined {
  const { status, statusCode, expose, message } = Object(thrown) as Record<string, unknown>
  const wanted = (status ?? statusCode) as number
  if (!Number.isInteger(wanted) || wanted < 400 || wanted > 599) return undefined
  const isShown = expose === undefined ? wanted < 500 : expose === true
  const text = isShown && typeof message === 'string' && message !== '' ? message : 'The request was refused'
  return new AiProxyError('request_refused', text, { cause: thrown, status: wanted })
}
