import { AiProxyError, isA } from '../api/errors.js'
import type { HookedRequest, OnRequest } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import type { Edit } from '../json/apply-edit.js'
import { copyIncrementally } from '../json/copy.js'
import { diffJson } from '../json/diff.js'
import { parseIncrementally } from '../json/incremental-parse.js'
import { parseJsonBytes } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { toRejection } from '../options/hook-rejection.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import { sharedTurns } from '../scheduling/turns.js'
import { headerFault } from '../util/header-fault.js'
import type { RequestBody } from './body.js'
import { isInMemory, join } from './body-bytes.js'
import { type FinishedAnswer, toFinishedAnswer } from './hook-answer.js'
import { jsonText } from './json-text.js'

/** The result of `onRequest`. */
interface Hooked {
  /** The client's body, or the one that the app wants. */
  readonly body: RequestBody
  readonly headers: Readonly<Record<string, string>>
  /** The app's own answer, if it gave one. */
  readonly answer: FinishedAnswer | undefined
  /** Whether the app has read the bytes that will be sent, for a signature: they must not change after that. */
  readonly isSigned: boolean
}

/**
 * Replaces a body's value.
 *
 * @param edit what differs, if the body is JSON
 */
type Rewrite = (body: RequestBody, json: unknown, edit: Edit | undefined) => RequestBody

/**
 * Calls the app's hook, which may change the request.
 *
 * @param rewrite called if the app has changed the body
 * @param finish applied to a body before it is sent
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
  const bodyOf = await trackChanges(body, rewrite, isOfApp, () => exchange.isSettled)
  const request = {
    format: exchange.format.name,
    body: body.json,
    headers,
    get rawBody() {
      isSigned = true
      const { content } = finish(bodyOf(this.body))
      return content && isInMemory(content) ? join(content) : undefined
    },
  }
  let answer: unknown
  try {
    answer = await hook(request as HookedRequest, exchange.hookView())
  } catch (thrown) {
    throw toRejection(thrown)
  }
  const finished = toFinishedAnswer('onRequest', answer, request)
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault) throw new HookFault(`onRequest gave a header that cannot go to the provider: ${fault}`)
  }
  if (finished) return { body, headers, answer: finished, isSigned }
  return { body: changedBy(() => bodyOf(request.body)), headers, answer: undefined, isSigned }
}

/** @throws HookFault if JSON cannot represent the body that the app left */
function changedBy(change: () => RequestBody): RequestBody {
  try {
    return change()
  } catch (cause) {
    if (isA(AiProxyError, cause)) throw cause
    throw new HookFault('onRequest left a body that cannot be written as JSON', { cause })
  }
}

/** Longer text is parsed in turns. */
const MAX_PARSED_BYTES = 64 * 1024

/**
 * Returns a function that turns the value a hook left into a body: the same body if nothing has changed.
 *
 * @param isOfApp whether the app created the value, which may then differ from its text
 */
async function trackChanges(
  body: RequestBody,
  rewrite: Rewrite,
  isOfApp: boolean,
  isCancelled: () => boolean,
): Promise<(json: unknown) => RequestBody> {
  const { json: given } = body
  const text = jsonText(body)
  // A hook may change the object in place, so the original is parsed from the text again, or copied.
  const isLong = text !== undefined && text.length > MAX_PARSED_BYTES
  let before = isLong
    ? await runInTurns(isOfApp ? parseIncrementally(text) : copyIncrementally(given), sharedTurns(), isCancelled)
    : undefined
  return (json) => {
    if (given === undefined || json === undefined) return json === given ? body : rewrite(body, json, undefined)
    before ??= text && parseJsonBytes(text)
    const edit = diffJson(before, json)
    return edit === undefined ? body : rewrite(body, json, edit)
  }
}
