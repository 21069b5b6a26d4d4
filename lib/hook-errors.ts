import { debug } from './debug.js'
import type { HookedExchange } from './hooks.js'
import { tendsPromise } from './promises.js'

/** The app's own code that the middleware calls, by the option that it was given as. */
export type HookName = 'auth' | 'estimateTokens' | 'forwardHeaders' | 'observers' | 'onEvent' | 'onFinish' | 'onRequest'

/**
 * Called with what a hook of the app threw, or rejected with.
 *
 * @param error what was thrown
 * @param context.hook the option that the hook was given as
 * @param context.exchange the exchange that it was called for, if it was called for one
 */
export type OnError = (
  error: unknown,
  context: { readonly hook: HookName; readonly exchange: HookedExchange | undefined },
) => void | Promise<void>

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

  report(hook: HookName, error: unknown, exchange?: HookedExchange): void {
    debug.request('%s %s threw: %s', exchange?.id ?? '', hook, shown(error, hook === 'auth'))
    this.#warn(hook, error)
    if (!this.#onError) return
    const onFailure = (thrown: unknown) => debug.request('onError threw: %O', thrown)
    try {
      tendsPromise(this.#onError(error, { hook, exchange }), onFailure)
    } catch (thrown) {
      onFailure(thrown)
    }
  }

  /**
   * The same function; what it throws or rejects with is reported on the way.
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
        if (!isMeant(error)) this.report(hook, error, exchangeOf(...args))
      }
      try {
        const returned = call(...(args as never[]))
        tendsPromise(returned, report)
        return returned
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
    process.emitWarning(`${nameOf(hook)} threw${others}`, {
      type: 'ExpressAiProxyWarning',
      code: 'AI_PROXY_HOOK_THREW',
      detail: shown(error, hook === 'auth'),
    })
  }
}

function nameOf(hook: HookName): string {
  if (hook === 'observers') return 'One of `observers`'
  return hook === 'auth' ? 'A function in `auth`' : `\`${hook}\``
}

/** @param isSecret the message may tell a key: only where it was thrown is shown */
function shown(error: unknown, isSecret: boolean): string {
  try {
    if (!(error instanceof Error)) return isSecret ? typeof error : String(error)
    const { stack = '', name, message } = error
    if (!isSecret) return stack || `${name}: ${message}`
    return [name, ...stack.split('\n').filter((line) => /^\s+at /.test(line))].join('\n')
  } catch {
    // It may be an object that throws when it is shown.
    return 'an error that cannot be shown'
  }
}
