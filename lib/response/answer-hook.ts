import { AiProxyError } from '../api/errors.js'
import type { HookedAnswer, OnAnswer } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { parseIncrementally } from '../json/incremental-parse.js'
import { isObject, parseJsonBytes } from '../json/json.js'
import { HOOKED_BOUNDS } from '../json/parse-within-bounds.js'
import { surveyInSteps } from '../json/run-survey.js'
import { JsonSurvey } from '../json/survey.js'
import { HookFault } from '../options/hook-errors.js'
import { toRejection } from '../options/hook-rejection.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'
import { kindOf } from '../util/shown.js'

/** A longer answer is parsed in turns. */
const MAX_PARSED_BYTES = 64 * 1024

/** A whole JSON answer, and what is known of it. */
export interface WholeAnswer {
  readonly body: Buffer
  readonly status: number
  /** Its head says that it is JSON. Otherwise a text may only begin like JSON. */
  readonly isJsonByLabel: boolean
}

/**
 * Calls the app's hook with a JSON answer.
 *
 * @param isGivenUp whether the answer is not needed any more
 * @returns the bytes to send in the place of the answer's; `undefined` if they stay as they are
 * @throws AiProxyError if the answer is labelled as JSON and is none, or with the status of what the hook threw; HookFault
 *   if what it returned cannot be used
 */
export async function runAnswerHook(
  hook: OnAnswer,
  exchange: Exchange,
  { body, status, isJsonByLabel }: WholeAnswer,
  turns: TurnScheduler,
  isGivenUp: () => boolean,
): Promise<Buffer | undefined> {
  if (body.length === 0) return undefined
  let json: unknown
  try {
    const isLong = body.length > MAX_PARSED_BYTES
    json = isLong ? await runInTurns(parsedWithinBounds(body), turns, isGivenUp) : parseJsonBytes(body)
  } catch (cause) {
    if (cause instanceof AiProxyError) throw cause
    if (!isJsonByLabel) return undefined
    throw unreadable()
  }
  const answer: HookedAnswer = { format: exchange.format.name, status, body: json }
  let returned: unknown
  try {
    returned = await hook(answer, exchange.hookView())
  } catch (thrown) {
    throw toRejection(thrown)
  }
  // The provider may have escaped a secret in a way that is not searched for, which parsing has undone.
  return returned === undefined ? undefined : exchange.secrets.maskBytes(bytesOf(returned))
}

/** @throws AiProxyError if the value would take too much memory; SyntaxError, IncrementalParseError */
function* parsedWithinBounds(body: Buffer): IncrementalTask<unknown> {
  const survey = new JsonSurvey(body, [], HOOKED_BOUNDS)
  yield* surveyInSteps(survey)
  if (survey.exceeded) throw unreadable()
  return yield* parseIncrementally(body)
}

/** What cannot be read cannot be redacted, so it must not go out. */
function unreadable(): AiProxyError {
  return new AiProxyError('upstream_error', 'The provider sent JSON that cannot be read')
}

/** @throws HookFault if JSON cannot represent what the hook returned */
function bytesOf(returned: unknown): Buffer {
  let text: string | undefined
  try {
    text = isObject(returned) ? JSON.stringify(returned.body) : undefined
  } catch (cause) {
    throw new HookFault('onAnswer returned a `body` that cannot be written as JSON', { cause })
  }
  if (text === undefined) {
    const got = isObject(returned) ? `{ body: ${kindOf(returned.body)} }` : kindOf(returned)
    throw new HookFault(`onAnswer must return nothing, or an object with JSON as its \`body\`; got ${got}`)
  }
  return Buffer.from(text)
}
