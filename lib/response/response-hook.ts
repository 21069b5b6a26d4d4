import type { OutgoingHttpHeaders } from 'node:http'
import type { HookedResponse, OnResponse } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { HookFault } from '../options/hook-errors.js'
import { toRejection } from '../options/hook-rejection.js'
import { checkedHeaders, type FinishedAnswer, toFinishedAnswer } from '../request/hook-answer.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import { shown } from '../util/shown.js'
import type { ResponsePlan } from './response-plan.js'

/** Statuses whose responses have no body, or must not have one. */
const BODILESS = [204, 205, 304]

/**
 * Calls the app's hook, which may change the head of a response.
 *
 * @returns the app's own answer, or the plan with the head as the app wants it
 * @throws AiProxyError with the status of what the hook threw; HookFault if what it set or returned cannot be used
 */
export async function runResponseHook(
  hook: OnResponse,
  exchange: Exchange,
  plan: ResponsePlan,
): Promise<{ readonly answer: FinishedAnswer | undefined; readonly plan: ResponsePlan }> {
  const response: HookedResponse = { status: plan.status, headers: { ...plan.headers } as HookedResponse['headers'] }
  let returned: unknown
  try {
    returned = await hook(response, exchange.hookView())
  } catch (thrown) {
    throw toRejection(thrown)
  }
  const answer = toFinishedAnswer('onResponse', returned, response)
  if (answer) return { answer, plan }
  return {
    answer,
    plan: { ...plan, status: checkedStatus(response.status, plan.status), headers: mergedHeaders(response, plan) },
  }
}

function checkedStatus(status: unknown, providers: number): number {
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) {
    throw new HookFault(`onResponse sets a status from 200 to 599, not ${shown(status)}`)
  }
  if (status !== providers && (BODILESS.includes(status as number) || BODILESS.includes(providers))) {
    throw new HookFault(`onResponse cannot turn status ${providers} into ${status}: one of them has no body`)
  }
  return status as number
}

/** The hook's headers, and those of the provider's that belong to the bytes of the body. */
function mergedHeaders({ headers }: HookedResponse, plan: ResponsePlan): OutgoingHttpHeaders {
  const merged: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(plan.headers)) if (isOfTheBytes(name)) merged[name] = value
  for (const [name, value] of checkedHeaders('onResponse', headers, isOfTheBytes)) merged[name] = value
  return merged
}

function isOfTheBytes(name: string): boolean {
  return isFramingHeader(name) || name === 'content-encoding'
}
