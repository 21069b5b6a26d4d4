import createDebug from 'debug'

interface Log {
  (format: string, ...values: unknown[]): void
  readonly enabled: boolean
}

/** What `DEBUG=ai-proxy:*` shows. None of it ever holds a header, a query or a body: secrets stay out of logs. */
export const debug = {
  request: logger('ai-proxy:request'),
  upstream: logger('ai-proxy:upstream'),
  stream: logger('ai-proxy:stream'),
  limit: logger('ai-proxy:limit'),
}

/** A log that throws nothing: what an app throws may be an object that throws when it is shown. */
function logger(name: string): Log {
  const log = createDebug(name)
  const say = (format: string, ...values: unknown[]): void => {
    if (!log.enabled) return
    try {
      log(format, ...values)
    } catch {
      // The format is ours, and says what happened.
      log(`${format.replaceAll('%', '%%')} (with what cannot be shown)`)
    }
  }
  return Object.defineProperty(say, 'enabled', { get: () => log.enabled }) as unknown as Log
}
