import { validateHeaderName, validateHeaderValue } from 'node:http'
import { inspect } from 'node:util'
import type { HookAnswer, HookName } from '../api/hooks.js'
import { isObject } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { isFramingHeader } from '../util/hop-by-hop.js'

/** The app's answer in place of the provider's, as it will be sent. */
export interface FinishedAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly content: string | Buffer | undefined
}

/**
 * Converts what a hook returned to the answer to send.
 *
 * @param ownStatus the status of an answer that has none of its own
 * @throws HookFault if it is not a valid answer
 */
export function toFinishedAnswer(hook: HookName, returned: unknown, ownStatus = 200): FinishedAnswer | undefined {
  if (returned === undefined) return undefined
  if (!isObject(returned)) throw new HookFault(`${hook} returns nothing, or an answer: { status, headers, body }`)
  const { status = ownStatus, headers = {}, body } = returned as HookAnswer
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new HookFault(`${hook} answers with a status from 200 to 599, not ${inspect(status, { depth: 0 })}`)
  }
  const own = Object.entries(headers).filter(([name]) => !isFramingHeader(name.toLowerCase()))
  for (const [name, value] of own) checkHeader(hook, name, value)
  if (status === 204 || status === 304) return { status, headers: Object.fromEntries(own), content: undefined }
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body)
  const content = isRaw ? body : jsonOf(hook, body)
  const type: Record<string, string> =
    isRaw || content === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }
  const length = String(content === undefined ? 0 : Buffer.byteLength(content))
  return { status, headers: { ...type, ...Object.fromEntries(own), 'content-length': length }, content }
}

function jsonOf(hook: HookName, body: unknown): string | undefined {
  try {
    return JSON.stringify(body)
  } catch (cause) {
    throw new HookFault(`${hook} answers with a body that cannot be written as JSON`, { cause })
  }
}

/** Validates a header. An array holds several values of one name, as in Node. */
export function checkHeader(hook: HookName, name: string, value: unknown): void {
  try {
    validateHeaderName(name)
    for (const one of [value].flat()) validateHeaderValue(name, one as string)
  } catch (cause) {
    throw new HookFault(`${hook} sets a header that HTTP forbids: ${name}`, { cause })
  }
}
