import type { ExchangeRecord } from '../api/record.js'
import type { Exchange } from '../exchange/exchange.js'
import { recordOf } from '../exchange/record-of.js'
import { type Capacity, unlimited } from '../policies/capacity.js'
import { PolicyRun } from '../policies/policy-run.js'
import type { AskedModel } from '../policies/policy-view.js'
import { byteLength, isInMemory } from '../request/body-bytes.js'
import type { Edited } from '../request/edit.js'
import type { ProviderPath } from '../request/provider-path.js'
import { isThenable } from '../util/promises.js'
import type { ProxyContext } from './context.js'

/** What may be asked to answer a request. */
interface Targets {
  readonly capacity: Capacity
  mayAsk(): readonly AskedModel[]
}

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
  context: ProxyContext,
  edited: Edited,
  whole: string,
  targets?: Targets,
): Promise<void> {
  const run = policyRun(exchange, openEarly, context, edited, whole, targets)
  exchange.policies = run
  const admitted = run.admit()
  const headers = isThenable(admitted) ? await admitted : admitted
  if (exchange.isSettled || exchange.res.headersSent) return
  for (const [name, value] of Object.entries(headers)) exchange.res.setHeader(name, value)
}

function policyRun(
  exchange: Exchange,
  openEarly: () => void,
  { config, charged }: ProxyContext,
  { body }: Edited,
  whole: string,
  targets: Targets = { capacity: unlimited, mayAsk: () => [{ target: config.name, model: exchange.model }] },
): PolicyRun {
  const { content } = body
  const bytes = content === undefined ? 0 : isInMemory(content) ? byteLength(content) : undefined
  return new PolicyRun(
    config.policies,
    exchange,
    { json: body.json, bytes, whole, isCharged: charged.has(exchange) },
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
}

/** Notifies the policies of an exchange of its end, unless it has done so before. */
export function settlePolicies(exchange: Exchange, record: ExchangeRecord): void {
  const { policies } = exchange
  exchange.policies = undefined
  policies?.settle(isAnothers(record) ? withoutUsage(record) : record)
}

/**
 * Tells the policies that an exchange gets the answer of another, and so asks no provider: what they hold for it, others can
 * use while that answer goes out. The app's labels are for the record of its end.
 */
export function sharePolicies(
  exchange: Exchange,
  context: ProxyContext,
  edited: Edited,
  whole: string,
  path: ProviderPath,
): void {
  const { policies, costOf } = context.config
  const { targets } = context
  const isAwaited = policies.some(({ settleShared }) => settleShared)
  // Its answer has the price that it would have had.
  const asked = targets && { capacity: unlimited, mayAsk: () => targets.mayAsk(exchange, path) }
  const run =
    exchange.policies ?? (isAwaited ? policyRun(exchange, () => {}, context, edited, whole, asked) : undefined)
  exchange.policies = run
  run?.share(withoutUsage(recordOf(exchange, undefined, costOf)))
}

/** The provider answered somebody else. */
function isAnothers({ cache }: ExchangeRecord): boolean {
  return cache === 'hit' || cache === 'join'
}

/** What another is charged for must not be charged twice. */
function withoutUsage(record: ExchangeRecord): ExchangeRecord {
  return { ...record, usage: undefined, tokens: undefined }
}
