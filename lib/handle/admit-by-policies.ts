import type { Exchange } from '../exchange/exchange.js'
import { type Capacity, unlimited } from '../policies/capacity.js'
import { PolicyRun } from '../policies/policy-run.js'
import type { AskedModel } from '../policies/policy-view.js'
import { byteLength, isInMemory } from '../request/body-bytes.js'
import type { Edited } from '../request/edit.js'
import { isThenable } from '../util/promises.js'
import type { ProxyContext } from './context.js'

/**
 * Asks the app's policies whether the request may go out, and puts their headers into the response.
 *
 * @param openEarly opens the client's stream
 * @param whole the provider's path, with the target's prefix
 * @throws AiProxyError what a policy refused with, or `policy_failed`
 */
export async function admitByPolicies(
  exchange: Exchange,
  openEarly: () => void,
  { config }: ProxyContext,
  { body }: Edited,
  whole: string,
  targets: { readonly capacity: Capacity; mayAsk(): readonly AskedModel[] } = {
    capacity: unlimited,
    mayAsk: () => [{ target: config.name, model: exchange.model }],
  },
): Promise<void> {
  const { content } = body
  const bytes = content === undefined ? 0 : isInMemory(content) ? byteLength(content) : undefined
  const run = new PolicyRun(
    config.policies,
    exchange,
    { json: body.json, bytes, whole },
    {
      config,
      ...targets,
      keepsWaiting: () => {
        // How long the client may wait is the policy's to decide.
        exchange.deadlines.stop('firstByte')
        exchange.deadlines.stop('firstToken')
        if (exchange.asksForStream && config.heartbeat.beforeFirstByte) openEarly()
      },
    },
  )
  exchange.policies = run
  const admitted = run.admit()
  const headers = isThenable(admitted) ? await admitted : admitted
  if (exchange.isSettled || exchange.res.headersSent) return
  for (const [name, value] of Object.entries(headers)) exchange.res.setHeader(name, value)
}
