import type { Rig } from './rig'
import type { RunningProxy } from './running-proxy'
import { type Model, PATHS } from './wire'

/**
 * Sends requests until the code that each of them runs is compiled, which takes thousands: before that, the proxy with
 * more code loses, and twenty requests that arrive together hold up everything else.
 *
 * @param model what the provider answers: streams run other code than plain answers
 */
export function requests(model: Model, forMs: number) {
  return ({ load }: Rig, { port }: RunningProxy) =>
    load.ask('small', { port, path: PATHS.proxy, model, clients: 32, forMs })
}

/** Tens of thousands of requests, so that the heap has grown as well. A scenario warms up what follows by itself. */
export const streamRequests = requests('first', 10_000)
