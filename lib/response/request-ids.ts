import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Exchange } from '../exchange/exchange.js'
import { type CompleteFormat, otherRequestIdHeaders } from '../formats/index.js'
import { namedByConnection } from '../util/hop-by-hop.js'

/** Response header with the exchange's id, unless the app sets the header itself. */
const OWN = 'x-request-id'
/** Response header with the provider's id of the request. */
const PROVIDERS = 'x-upstream-request-id'

/** Ids that `errors: 'next'` has left on responses: another middleware must not take them for the app's. */
const leftBehind = new WeakMap<ServerResponse, string>()

/** Returns the provider's id of a request, from the headers of its response; `undefined` if it sends none. */
export function providerRequestIdIn(headers: IncomingHttpHeaders, format: CompleteFormat): string | undefined {
  const hopByHop = namedByConnection(headers.connection)
  for (const names of [[OWN], format.requestIdHeaders, otherRequestIdHeaders]) {
    for (const name of names) {
      const value = headers[name]
      if (value !== undefined && value.length > 0 && !hopByHop.includes(name)) return String(value)
    }
  }
  return undefined
}

/** Returns the header with the exchange's id; none if the app has set it. */
export function requestIdHeader({ id, res }: Exchange): Record<string, string> {
  return isSetByApp(res) ? {} : { [OWN]: id }
}

/** Adds the exchange's id, and the provider's, to the headers of the provider's response. */
export function addRequestIds(headers: OutgoingHttpHeaders, { id, res, providerRequestId }: Exchange): void {
  if (!isSetByApp(res)) headers[OWN] = id
  if (providerRequestId !== undefined && !res.hasHeader(PROVIDERS)) headers[PROVIDERS] = providerRequestId
}

/** Sets the exchange's id on a response that the app is going to send. */
export function leaveRequestId({ id, res }: Exchange): void {
  if (isSetByApp(res)) return
  res.setHeader(OWN, id)
  leftBehind.set(res, id)
}

function isSetByApp(res: ServerResponse): boolean {
  const value = res.getHeader(OWN)
  return value !== undefined && value !== leftBehind.get(res)
}
