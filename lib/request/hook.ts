import { AiProxyError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { HookAnswer, HookedRequest, OnRequest } from '../hooks.js'
import { isObject } from '../json.js'
import type { RequestBody } from './body.js'
import { headerFault } from './extra-headers.js'

/** What became of a request in `onRequest`. */
interface Hooked {
  /** As it was, or as the app wants it. */
  readonly body: RequestBody
  readonly headers: Readonly<Record<string, string>>
  /** The app answers itself. */
  readonly answer: HookAnswer | undefined
}

/**
 * Lets the app see a request, and change it.
 *
 * @param rewrite writes another body in the place of this one
 * @param finish what is done with a body before it goes out
 * @throws AiProxyError with the status of what the hook threw, or `internal_error`
 */
export async function runHook(
  hook: OnRequest,
  exchange: Exchange,
  body: RequestBody,
  rewrite: (json: unknown) => RequestBody,
  finish: (body: RequestBody) => RequestBody = (unchanged) => unchanged,
): Promise<Hooked> {
  const headers: Record<string, string> = {}
  // The hook may change the very object that it sees.
  const before = JSON.stringify(body.json)
  const bodyOf = (json: unknown) => (JSON.stringify(json) === before ? body : rewrite(json))
  const view = {
    ...exchange.hookView(),
    body: body.json,
    headers,
    get rawBody() {
      const { content } = finish(bodyOf(this.body))
      return Buffer.isBuffer(content) ? content : undefined
    },
  }
  let answer: unknown
  try {
    answer = await hook(view as HookedRequest)
  } catch (thrown) {
    throw refusal(thrown)
  }
  if (answer !== undefined && !isObject(answer)) {
    throw new TypeError('onRequest returns nothing, or an answer: { status, headers, body }')
  }
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault) throw new TypeError(`onRequest gave a header that cannot go to the provider: ${fault}`)
  }
  return { body: bodyOf(view.body), headers, answer }
}

/** What a hook threw, as a failure: `http-errors` and their like carry a status, and say whether they may be shown. */
function refusal(thrown: unknown): unknown {
  const { status, statusCode, expose, message } = Object(thrown) as Record<string, unknown>
  const wanted = (status ?? statusCode) as number
  if (thrown instanceof AiProxyError || !Number.isInteger(wanted) || wanted < 400 || wanted > 599) return thrown
  const isShown = expose === undefined ? wanted < 500 : expose === true
  const text = isShown && typeof message === 'string' && message !== '' ? message : 'The request was refused'
  return new AiProxyError('request_refused', text, { cause: thrown, status: wanted })
}
