/** What the module takes from the machine that it runs on; tests bring their own. */
export interface Environment {
  /** Milliseconds since 1970, to read HTTP dates. */
  now(): number
  /** A number from 0 to 1, without 1. */
  random(): number
  /** Waits. Rejects with the signal's reason as soon as that is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
  /** Whether the machine knows that it has no network. */
  isOffline(): boolean
  /** Waits for the network. Rejects with the signal's reason as soon as that is aborted. */
  untilOnline(signal: AbortSignal): Promise<void>
}

/** The globals that only browsers have. */
interface BrowserGlobals {
  readonly navigator?: { readonly onLine?: boolean }
  addEventListener?(type: 'online', listener: () => void): void
  removeEventListener?(type: 'online', listener: () => void): void
}

/** The clock, chance and network of this machine. */
export const environment: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  sleep: (ms, signal) =>
    abortable(signal, (done) => {
      const timer = setTimeout(done, ms)
      return () => clearTimeout(timer)
    }),
  isOffline: () => browser().navigator?.onLine === false && browser().addEventListener !== undefined,
  untilOnline: (signal) =>
    abortable(signal, (done) => {
      browser().addEventListener?.('online', done)
      return () => browser().removeEventListener?.('online', done)
    }),
}

function browser(): BrowserGlobals {
  return globalThis as BrowserGlobals
}

/** @param start starts what is waited for, and returns what takes it back */
function abortable(signal: AbortSignal, start: (done: () => void) => () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const abort = () => {
      undo()
      reject(signal.reason)
    }
    const undo = start(() => {
      undo()
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}
