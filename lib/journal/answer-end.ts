import { AiProxyError, isFailureCode, type Outcome } from '../api/errors.js'
import type { JournalEnd } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import type { AnswerFacts } from '../exchange/usage-accumulator.js'
import { isObject, tryParseJson } from '../json/json.js'

/** What is known of an answer that was kept. */
export interface KeptAnswer {
  readonly facts: AnswerFacts
  /** Status of the provider's answer; `undefined` if it gave none, or the app answered in its place. */
  readonly providerStatus: number | undefined
  /** The body ended well for HTTP. */
  readonly isBodyWhole: boolean
  /** Its usage is whole. */
  readonly isUsageReported: boolean
  /** Why it is not whole. */
  readonly failure: { readonly code: string; readonly message: string; readonly outcome: Outcome } | undefined
}

/** Failures for which the provider is the reason: another client would meet them, too. */
const SHARED: ReadonlySet<Outcome> = new Set(['upstream_error', 'provider_error'])
const SHARED_LIMITS = /^(?:first_byte|first_token|idle|progress)_timeout$|_too_(?:large|long)$|^output_tokens_exceeded$/

/** Failures of one client's request that tell others nothing about it. */
const TOLD: ReadonlySet<string> = new Set(['aborted', 'shutting_down'])

function isShared({ outcome, code }: AiProxyError): boolean {
  return SHARED.has(outcome) || SHARED_LIMITS.test(code)
}

/**
 * Returns the failure that others who read an answer get. That a quota is used up, which names its key, or that a
 * client was too slow, is between that client and the app.
 */
export function failureForOthers(failure: AiProxyError): AiProxyError {
  if (isShared(failure) || TOLD.has(failure.code)) return failure
  return new AiProxyError('aborted', 'The request that this answer belongs to was ended')
}

/** Returns why an answer whose body has not ended is not whole, for those who read it; `undefined` if it is, as far as is known. */
export function failureOfKept(exchange: Exchange): AiProxyError | undefined {
  exchange.finishMetering()
  const { answer, failure, outcome, isComplete, choicesAsked } = exchange
  if (failure || outcome !== 'client_disconnect') return failure
  if (isComplete || answer.isCompleteFor(choicesAsked)) return undefined
  return new AiProxyError('aborted', 'The client left, and the answer ended with it')
}

/**
 * Describes how an exchange has ended, for those who read its answer.
 *
 * @param hasBegun whether there is anything to read
 * @param isBodyWhole whether the body ended well for HTTP
 * @param isForOthers whether others read it as well
 */
export function answerEnd(
  exchange: Exchange,
  hasBegun: boolean,
  isBodyWhole: boolean,
  isForOthers: boolean,
): JournalEnd {
  exchange.finishMetering()
  const failure = isBodyWhole ? exchange.failure : failureOfKept(exchange)
  const { answer, outcome, providerStatus, isComplete, isReplaced } = exchange
  const isOwn = failure ? !isShared(failure) : outcome === 'client_disconnect' && !isComplete
  const isWhole = failure === undefined && answer.error === undefined && !answer.isTruncated && !isOwn
  const isVacated = !hasBegun && isOwn
  const told = failure && isForOthers && !isVacated ? failureForOthers(failure) : failure
  const kept: KeptAnswer = {
    facts: answer.facts,
    providerStatus: isReplaced ? undefined : providerStatus,
    isBodyWhole,
    // An answer in one piece has no end of its own that is seen before that of its body.
    isUsageReported: answer.usageAt(isComplete || (isWhole && isBodyWhole))?.estimated === false,
    failure: told && {
      code: told.code,
      message: exchange.secrets.mask(told.message),
      // What the provider said with its status is its refusal.
      outcome: exchange.hasErrorStatus && told.code === 'upstream_error' ? 'provider_error' : told.outcome,
    },
  }
  const how = isVacated ? 'vacated' : isWhole ? 'complete' : 'failed'
  return { how, about: JSON.stringify(kept) }
}

/** Parses the end of an answer; `undefined` if this package did not write it. */
export function readAnswerEnd({ about }: JournalEnd): KeptAnswer | undefined {
  const parsed = tryParseJson(about)
  return isObject(parsed) && isObject(parsed.facts) ? (parsed as unknown as KeptAnswer) : undefined
}

/** Restores the failure. */
export function failureOf({ failure }: KeptAnswer): AiProxyError | undefined {
  if (!failure) return undefined
  const { code, message } = failure
  return new AiProxyError(isFailureCode(code) || isOwnCode(code) ? code : 'upstream_error', message)
}

function isOwnCode(code: string): code is `x_${string}` {
  return code.startsWith('x_')
}
