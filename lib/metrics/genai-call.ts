import type { Attributes } from '@opentelemetry/api'
import type { ObservedExchange } from '../api/observer.js'
import type { ExchangeRecord } from '../api/record.js'
import { operationOf, providerOf, serverOf } from './genai-names.js'

/** A call of a model: what is known of it when it is made. */
export interface Call {
  readonly operation: string
  readonly model: string | undefined
  /** What spans and metrics both say of it; what samplers may go by. */
  readonly attributes: Attributes
}

/** The call that a request is; `undefined` where it is none. */
export function callOf({ format, req, model, host }: ObservedExchange): Call | undefined {
  const operation = operationOf(format, { method: req.method, path: req.url.split('?', 1)[0] ?? '/', model })
  if (operation === undefined) return undefined
  const { address, port } = serverOf(host)
  const attributes = {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerOf(format, address),
    'server.address': address,
    'server.port': port,
  }
  return { operation, model, attributes }
}

/** The call that was to be made for an exchange that failed before. */
export function unsentCall(record: ExchangeRecord): Call | undefined {
  const operation = operationOf(record.format, record)
  // Without a failure there was none to be made: the app, or we, answered.
  if (operation === undefined || record.code === undefined) return undefined
  const attributes = {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerOf(record.format, undefined),
  }
  return { operation, model: record.model, attributes }
}

/**
 * `error.type`: our name of what went wrong, or the status of a provider's error. A client that leaves is no error.
 * https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/general/recording-errors.md
 */
export function errorTypeOf({
  code,
  outcome,
  status,
  providerStatus = status ?? 0,
}: ExchangeRecord): string | undefined {
  if (outcome === 'provider_error') return String(providerStatus)
  return code ?? (providerStatus >= 400 ? String(providerStatus) : undefined)
}
