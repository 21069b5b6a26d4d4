import createDebug from 'debug'

interface Log {
  (format: string, ...values: unknown[]): void
  readonly enabled: boolean
}

/**
 * Loggers that `DEBUG=ai-proxy:*` enables. They never print a header, a query or a body, so secrets stay out of logs.
 */
export const debug = {
  request: logger('ai-proxy:request'),
  upstream: logger('ai-proxy:upstream'),
  stream: logger('ai-proxy:stream'),
  limit: logger('ai-proxy:limit'),
}

/** Creates a logger that never throws: an app may throw an object that itself throws when formatted. */
function logger(name: string): Log {
  const log = createDebug(name)
  const say = (format: string, ...values: unknown[]): void => {
    if (!log.enabled) return
    try {
      log(format, ...values)
    } catch {
      // The format string is ours, and says what happened.
      log(`${format.replaceAll('%', '%%')} (with what cannot be shown)`)
    }
  }
  return Object.defineProperty(say, 'enabled', { get: () => log.enabled }) as unknown as Log
}
