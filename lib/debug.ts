import createDebug from 'debug'

/** What `DEBUG=ai-proxy:*` shows. None of it ever holds a header's value, a query or a body: secrets stay out of logs. */
export const debug = {
  request: createDebug('ai-proxy:request'),
  upstream: createDebug('ai-proxy:upstream'),
  stream: createDebug('ai-proxy:stream'),
  limit: createDebug('ai-proxy:limit'),
}
