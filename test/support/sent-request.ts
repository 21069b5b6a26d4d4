import type { Exchange } from '../../lib/exchange/exchange.js'
import { NO_SECRETS, type Secrets } from '../../lib/util/secrets.js'

/** Makes an exchange one whose request to the provider has gone out. */
export function sendRequest(
  exchange: Exchange,
  sent: { readonly secrets?: Secrets; readonly hidesUsage?: boolean },
): void {
  const entry = exchange.attempts.begin('provider', exchange.model)
  entry.send({ secrets: NO_SECRETS, hidesUsage: false, ...sent })
  exchange.attempts.serve(entry)
}
