import assert from 'node:assert/strict'
import { providersRequestId } from './request-ids.js'

/** What clients say in their errors. */
const FIELDS = [
  'name',
  'message',
  'status',
  'statusCode',
  'code',
  'type',
  'param',
  'error',
  'isRetryable',
  'responseBody',
  'reason',
  'lc_error_code',
]
const HEADERS = ['request-id', 'retry-after', 'x-ratelimit-remaining-requests']

/** What comes of it: some clients throw when they are left, others come to their end. */
export async function outcomeOf(run: () => Promise<unknown>): Promise<unknown> {
  return run().catch(described)
}

/** What a client throws: everything in it by which an app would tell one error from another. */
export async function thrownBy(run: () => Promise<unknown>): Promise<Record<string, unknown>> {
  return run().then(() => assert.fail('nothing was thrown'), described)
}

function described(error: unknown): Record<string, unknown> {
  // Some hand on what the provider says, as it is.
  if (!(error instanceof Error)) return { thrown: error }
  const fields = error as unknown as Record<string, unknown>
  const headers = new Headers((fields.headers ?? fields.responseHeaders ?? {}) as Record<string, string>)
  const header = (name: string) => headers.get(name)
  return {
    class: error.constructor.name,
    ...Object.fromEntries(FIELDS.filter((field) => field in fields).map((field) => [field, fields[field]])),
    ...('requestID' in fields && { requestID: providersRequestId(header, fields.requestID) }),
    headers: { 'x-request-id': providersRequestId(header), ...headersIn(headers) },
    ...(Array.isArray(fields.errors) && { errors: fields.errors.map(described) }),
    ...(error.cause instanceof Error && { cause: described(error.cause) }),
  }
}

function headersIn(headers: Headers): Record<string, string> {
  return Object.fromEntries(HEADERS.flatMap((name) => (headers.has(name) ? [[name, headers.get(name)!]] : [])))
}
