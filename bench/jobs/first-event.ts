import { Client } from '../client'
import { median } from '../stats'
import { PATHS, request } from '../wire'

interface FirstEvent {
  providerPort: number
  proxyPort: number
  /** Number of pairs of a direct and a proxied call; the first `warmUp` of them do not count. */
  pairs: number
  warmUp: number
}

/** Milliseconds from the request to the first event. The stream ends shortly after that event. */
async function delayMs(client: Client, bytes: Buffer): Promise<number> {
  const sentAt = performance.now()
  let delay = Number.NaN
  const before = client.events
  client.onBody = () => {
    if (Number.isNaN(delay) && client.events > before) delay = performance.now() - sentAt
    return true
  }
  await client.send(bytes)
  return delay
}

/**
 * Runs one stream at a time, alternately direct and through the proxy, so that both see the same machine. The proxy's
 * overhead is the median of the pairs' differences, in milliseconds.
 */
export async function firstEvent({ providerPort, proxyPort, pairs, warmUp }: FirstEvent) {
  const direct = await Client.connect(providerPort)
  const proxied = await Client.connect(proxyPort)
  const toProvider = request(PATHS.provider, 'first')
  const toProxy = request(PATHS.proxy, 'first')
  const directMs: number[] = []
  const addedMs: number[] = []
  for (let pair = 0; pair < warmUp + pairs; pair += 1) {
    const without = await delayMs(direct, toProvider)
    const through = await delayMs(proxied, toProxy)
    if (pair < warmUp) continue
    directMs.push(without)
    addedMs.push(through - without)
  }
  for (const { events } of [direct, proxied]) {
    if (events !== warmUp + pairs) throw new Error(`${warmUp + pairs} streams of one event brought ${events}`)
  }
  direct.leave()
  proxied.leave()
  return { addedMs: median(addedMs), directMs: median(directMs) }
}
