import type { OnAttempt } from '../api/hooks.js'
import type { Exchange } from '../exchange/exchange.js'
import { askForUsage } from '../request/ask-for-usage.js'
import { runAttemptHook } from '../request/attempt-hook.js'
import { type CredentialsOwner, credentialsOwner } from '../request/credentials-owner.js'
import type { Edited } from '../request/edit.js'
import { withModel } from '../request/model-name.js'
import type { ProviderPath } from '../request/provider-path.js'
import { mayRefuseUsage } from '../request/usage-refusals.js'
import { type PreparedRequest, prepareRequest, withHeaders } from './prepare-request.js'
import type { PooledTarget } from './target-pool.js'

/** A client's request, of which each attempt makes its own. */
interface RoutableRequest {
  readonly exchange: Exchange
  readonly path: ProviderPath
  /** Returns the request as hooks and options have left it. It throws if the exchange needs it no more. */
  edited(): Edited
  /** Headers of observers. */
  readonly observed: readonly Readonly<Record<string, string>>[]
}

/** A request that is ready to be sent to a target. */
export interface PreparedAttempt extends PreparedRequest {
  readonly credentialsOf: CredentialsOwner
}

/**
 * Builds the request for a target: with its name for the model, its credentials, and a request for usage if it takes
 * one. The client's request stays as it is, for other attempts.
 *
 * @param model as the target calls it
 * @throws AiProxyError `credentials_unavailable`, `model_not_found`, and what `onAttempt` throws
 */
export async function prepareAttempt(
  { exchange, path: asked, edited, observed }: RoutableRequest,
  { target, config, usageRefusals }: PooledTarget,
  model: string | undefined,
  onAttempt: OnAttempt | undefined,
): Promise<PreparedAttempt> {
  const { body: given, headers, isSigned } = edited()
  const { format } = exchange
  const parts = { path: asked, body: given }
  const isRenamed = model !== undefined && model !== exchange.model
  const reading = { prefix: config.prefix, format }
  const { path, body } = isRenamed ? await withModel(parts, model, reading, () => exchange.isSettled) : parts
  const whole = config.prefix + path.decoded
  const asking = isSigned ? body : askForUsage(body, exchange, config, whole, usageRefusals)
  const hidesUsage = asking !== body
  const withoutUsageRequest = hidesUsage && mayRefuseUsage(body, format) ? body : undefined
  const prepared = await prepareRequest(
    exchange,
    path,
    { body: asking, headers, hidesUsage, withoutUsageRequest },
    config,
    observed,
  )
  const withOwner = (ready: PreparedRequest): PreparedAttempt => ({
    ...ready,
    credentialsOf: credentialsOwner(ready.request, exchange.req.headers, config),
  })
  if (!onAttempt) return withOwner(prepared)
  const run = config.hookErrors.reporting('onAttempt', runAttemptHook, (...[, , , of]) => of.hookView())
  const signed = await run(onAttempt, target.name, prepared.request, exchange, config.origin)
  return withOwner(withHeaders(prepared, signed, config))
}
