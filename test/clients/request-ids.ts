const EXCHANGE_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/**
 * Returns the provider's id of a request, which directly is `x-request-id`. Through the proxy that header has the id of
 * the exchange, and `x-upstream-request-id` has the provider's.
 *
 * @param id what a client takes for the id, from `x-request-id`
 */
export function providersRequestId(
  header: (name: string) => string | null | undefined,
  id: unknown = header('x-request-id'),
): unknown {
  const isOfExchange = typeof id === 'string' && EXCHANGE_ID.test(id)
  return (isOfExchange ? header('x-upstream-request-id') : id) ?? null
}
