import type { AttemptRequest, OnAttempt } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { HookFault } from '../options/hook-errors.js'
import { headerFault } from '../util/header-fault.js'
import { isFramingHeader } from '../util/hop-by-hop.js'
import { isInMemory, join } from './body-bytes.js'
import type { UpstreamRequest } from './upstream-request.js'

/** Headers that were changed by the app, by lower-case names. */
type Headers = Record<string, string | string[]>

/**
 * Calls the app's hook with an attempt's request, and returns the headers to send.
 *
 * @param origin of the target
 * @throws HookFault if a header cannot be sent
 */
export async function runAttemptHook(
  hook: OnAttempt,
  target: string,
  { method, url, headers, body }: UpstreamRequest,
  exchange: Exchange,
  origin: string,
): Promise<Headers> {
  const before = { ...headers } as Headers
  const request: AttemptRequest = {
    method,
    url: origin + url,
    // The client's is the one of this server, which no signature is about.
    headers: { ...copyOf(before), host: new URL(origin).host },
    body: body && isInMemory(body) ? join(body) : undefined,
  }
  await hook({ target, request }, exchange.hookView())
  const after = lowerCased(request.headers)
  // What frames the message, and where it goes, is not the hook's.
  for (const name of Object.keys({ ...before, ...after }).filter(isFixed)) {
    if (before[name] === undefined) delete after[name]
    else after[name] = before[name]
  }
  for (const [name, value] of Object.entries(after)) {
    if (name in before && value === before[name]) continue
    const fault = [value]
      .flat()
      .map((each) => headerFault(name, each))
      .find(Boolean)
    if (fault) throw new HookFault(`onAttempt set a header that cannot go to the provider: ${fault}`)
  }
  return after
}

/** A hook may change a list in its place, and other attempts share the original. */
function copyOf(headers: Headers): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]),
  )
}

function isFixed(name: string): boolean {
  return name === 'host' || isFramingHeader(name)
}

function lowerCased(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
