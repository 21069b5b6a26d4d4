import { isA } from '../api/errors.js'
import type { HookedExchange, HookName, OnError } from '../api/hooks.js'
import { debug } from '../util/debug.js'
import { formatError, formatErrorWithoutMessage } from '../util/format-error.js'
import { catchRejection, isThenable, toPromise } from '../util/promises.js'
import { warn } from '../util/warn.js'

/** A hook did not throw, but what it returned or set cannot be used. The message holds no secret. */
export class HookFault extends TypeError {}

/** Minimum time between warnings about one hook: a hook that throws often throws at every request. */
const WARN_EVERY_MS = 60_000

/** Reports what the app's hooks throw, which would otherwise be lost: as a process warning, and to `onError`. */
export class HookErrors {
  readonly #onError: OnError | undefined
  readonly #now: () => number
  readonly #warned = new Map<HookName, { at: number; since: number }>()

  /** @param now monotonic time in milliseconds; injected in tests */
  constructor(onError: OnError | undefined, now = () => performance.now()) {
    this.#onError = onError
    this.#now = now
  }

  /** Reports an error. Never throws, whatever the error is: nothing could handle it. */
  report(hook: HookName, error: unknown, exchange?: HookedExchange): void {
    debug.request('%s: %s', exchange ? `${exchange.id} ${hook}` : hook, formatHookError(error, hook === 'auth'))
    this.#warn(hook, error)
    if (!this.#onError) return
    const onFailure = (thrown: unknown) => debug.request('onError threw: %s', formatHookError(thrown, false))
    try {
      catchRejection(this.#onError(error, { hook, exchange }), onFailure)
    } catch (thrown) {
      onFailure(thrown)
    }
  }

  /**
   * Wraps a function so that what it throws or rejects with is reported. If a hook may return a value that cannot be
   * used, `call` checks the value and throws a {@link HookFault}.
   *
   * @param exchangeOf finds the exchange in the function's arguments
   * @param isIntended returns whether the function threw this on purpose, so that it is not an error
   */
  reporting<F extends ((...args: never[]) => unknown) | undefined>(
    hook: HookName,
    call: F,
    exchangeOf: (...args: Parameters<NonNullable<F>>) => HookedExchange | undefined = () => undefined,
    isIntended: (error: unknown) => boolean = () => false,
  ): F {
    if (!call) return call
    const reportingCall = (...args: Parameters<NonNullable<F>>): unknown => {
      const report = (error: unknown) => {
        if (!testSafely(isIntended, error)) this.report(hook, error, exchangeOf(...args))
      }
      try {
        const returned = call(...(args as never[]))
        if (!isThenable(returned)) return returned
        // Call `then` once: that of a query builder runs its query each time.
        const promise = toPromise(returned)
        promise.catch(report)
        return promise
      } catch (error) {
        report(error)
        throw error
      }
    }
    return reportingCall as F
  }

  #warn(hook: HookName, error: unknown): void {
    const now = this.#now()
    const last = this.#warned.get(hook)
    if (last && now - last.at < WARN_EVERY_MS) {
      last.since++
      return
    }
    this.#warned.set(hook, { at: now, since: 0 })
    const others = last?.since ? ` (and ${last.since} times more since the last warning)` : ''
    const what = isA(HookFault, error) ? 'returned or set an invalid value' : 'threw'
    warn('AI_PROXY_HOOK_THREW', `${nameOf(hook)} ${what}${others}`, formatHookError(error, hook === 'auth'))
  }
}

/** Returns the result of a test; `false` if it throws. */
function testSafely(test: (error: unknown) => boolean, error: unknown): boolean {
  try {
    return test(error)
  } catch {
    return false
  }
}

function nameOf(hook: HookName): string {
  if (hook === 'observers') return 'One of `observers`'
  return hook === 'auth' ? 'A function in `auth`' : `\`${hook}\``
}

/** @param isSecret whether the message may contain a key: then only the place where it was thrown is shown */
function formatHookError(error: unknown, isSecret: boolean): string {
  return isSecret && !isA(HookFault, error) ? formatErrorWithoutMessage(error) : formatError(error)
}
