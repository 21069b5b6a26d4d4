import { isA } from '../api/errors.js'
import type { HookedExchange, HookName, OnError } from '../api/hooks.js'
import { debug } from '../util/debug.js'
import { formatError, formatErrorWithoutMessage } from '../util/format-error.js'
import { catchRejection, isThenable, toPromise } from '../util/promises.js'
import { warn } from '../util/warn.js'

/** A hook has thrown nothing, and what it returned or set cannot be used. The message tells no secret. */
export class HookFault extends TypeError {}

/** Warnings of one hook come at most this often: a hook that throws as a rule throws at every request. */
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

  /** It never throws, whatever the error is: nobody is left who could be told. */
  report(hook: HookName, error: unknown, exchange?: HookedExchange): void {
    debug.request('%s %s: %s', exchange?.id ?? '', hook, shown(error, hook === 'auth'))
    this.#warn(hook, error)
    if (!this.#onError) return
    const onFailure = (thrown: unknown) => debug.request('onError threw: %s', shown(thrown, false))
    try {
      catchRejection(this.#onError(error, { hook, exchange }), onFailure)
    } catch (thrown) {
      onFailure(thrown)
    }
  }

  /**
   * The same function; what it throws or rejects with is reported on the way. Where a hook may also return what cannot be
   * used, `call` is what reads it, and throws a {@link HookFault}.
   *
   * @param exchangeOf finds the exchange in the function's arguments
   * @param isMeant what the function throws on purpose, which is no error
   */
  watched<F extends ((...args: never[]) => unknown) | undefined>(
    hook: HookName,
    call: F,
    exchangeOf: (...args: Parameters<NonNullable<F>>) => HookedExchange | undefined = () => undefined,
    isMeant: (error: unknown) => boolean = () => false,
  ): F {
    if (!call) return call
    const watching = (...args: Parameters<NonNullable<F>>): unknown => {
      const report = (error: unknown) => {
        if (!holds(isMeant, error)) this.report(hook, error, exchangeOf(...args))
      }
      try {
        const returned = call(...(args as never[]))
        if (!isThenable(returned)) return returned
        // Asked once: the `then` of a query builder runs its query each time.
        const promise = toPromise(returned)
        promise.catch(report)
        return promise
      } catch (error) {
        report(error)
        throw error
      }
    }
    return watching as F
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
    const what = isA(HookFault, error) ? 'gave what cannot be used' : 'threw'
    warn('AI_PROXY_HOOK_THREW', `${nameOf(hook)} ${what}${others}`, shown(error, hook === 'auth'))
  }
}

/** A test that throws has told nothing. */
function holds(test: (error: unknown) => boolean, error: unknown): boolean {
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

/** @param isSecret the message may tell a key: only where it was thrown is shown */
function shown(error: unknown, isSecret: boolean): string {
  return isSecret && !isA(HookFault, error) ? formatErrorWithoutMessage(error) : formatError(error)
}
