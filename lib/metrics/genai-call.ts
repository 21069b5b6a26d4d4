import type { Attributes } from '@opentelemetry/api'
import type { ObservedExchange } from '../api/observer.js'
import type { ExchangeRecord } from '../api/record.js'
import { operationOf, providerOf, serverOf } from './genai-names.js'

/** A call of a model, with what is known when it is made. */
export interface Call {
  readonly operation: string
  readonly model: string | undefined
  /** Attributes of both spans and metrics; samplers may use them. */
  readonly attributes: Attributes
}

/** Returns the call that a request makes; `undefined` if it calls no model. */
export function callOf({ format, req, model, host }: ObservedExchange): Call | undefined {
  const operation = operationOf(format, { method: req.method, path: req.url.split('?', 1)[0] ?? '/', model })
  if (operation === undefined) return undefined
  return callAt(host, { operation, model }, format)
}

/** Returns a call as it is made at a target. @param host with the port */
export function callAt(host: string, { operation, model }: Omit<Call, 'attributes'>, format: string): Call {
  const { address, port } = serverOf(host)
  const attributes = {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerOf(format, address),
    'server.address': address,
    'server.port': port,
  }
  return { operation, model, attributes }
}

/** Returns the call that a failed exchange would have made. */
export function unsentCall(record: ExchangeRecord): Call | undefined {
  const operation = operationOf(record.format, record)
  // Without a failure no call was intended: the app or this package answered.
  if (operation === undefined || record.code === undefined) return undefined
  const attributes = {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerOf(record.format, undefined),
  }
  return { operation, model: record.model, attributes }
}

/**
 * Returns `error.type`: our code for the failure, or the status of a provider's error. A client that disconnects is not
 * an error.
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
