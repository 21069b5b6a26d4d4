import { Client } from '../client'
import { median } from '../stats'
import { type Model, PATHS, request } from '../wire'

interface FirstEvent {
  providerPort: number
  proxyPort: number
  /** What is asked for. */
  model: Model
  /** Number of events of one stream. */
  events: number
  /** Number of pairs of a direct and a proxied call; the first `warmUp` of them do not count. */
  pairs: number
  warmUp: number
}

/** Milliseconds from the request to the first event. */
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
export async function firstEvent({ providerPort, proxyPort, model, events: each, pairs, warmUp }: FirstEvent) {
  const direct = await Client.connect(providerPort)
  const proxied = await Client.connect(proxyPort)
  const toProvider = request(PATHS.provider, model)
  const toProxy = request(PATHS.proxy, model)
  const directMs: number[] = []
  const addedMs: number[] = []
  const throughMs: number[] = []
  for (let pair = 0; pair < warmUp + pairs; pair += 1) {
    const without = await delayMs(direct, toProvider)
    const through = await delayMs(proxied, toProxy)
    if (pair < warmUp) continue
    directMs.push(without)
    throughMs.push(through)
    addedMs.push(through - without)
  }
  for (const { events } of [direct, proxied]) {
    const expected = (warmUp + pairs) * each
    if (events !== expected) throw new Error(`${warmUp + pairs} streams brought ${events} events, not ${expected}`)
  }
  direct.leave()
  proxied.leave()
  return { addedMs: median(addedMs), directMs: median(directMs), throughMs: median(throughMs) }
}
