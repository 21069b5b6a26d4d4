import { AiProxyError } from '../api/errors.js'
import type { Admission, Policy } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import type { Exchange } from '../exchange/exchange.js'
import type { ExchangePolicies } from '../exchange/policies.js'
import { isObject } from '../json/json.js'
import { HookFault } from '../options/hook-errors.js'
import { catchRejection, isThenable, toPromise } from '../util/promises.js'
import { shown } from '../util/shown.js'
import { type AdmittedRequest, type PolicyEnvironment, PolicyView } from './policy-view.js'
import { checkedHeaders, toPolicyFailure } from './refusal.js'

/** Response headers of policies, by lower-case names. */
export type PolicyHeaders = Readonly<Record<string, string>>

/** What each view does by itself. */
type OwnCalls = 'watchFrom' | 'pause'

/** The policies of one exchange: asks them, lets them watch it, and reports its end to those that were asked. */
export class PolicyRun implements ExchangePolicies {
  watchFrom = Number.POSITIVE_INFINITY
  onResume: (() => void) | undefined
  #isShared = false
  readonly #policies: readonly Policy[]
  readonly #views: readonly PolicyView[]
  readonly #bounds: number[] = []
  readonly #environment: Omit<PolicyEnvironment, OwnCalls>
  readonly #watching: readonly number[]
  /** How many of them wait for something while the answer streams. */
  #pauses = 0
  /** How many were asked. */
  #asked = 0
  /** The answer that is awaited, of the last one that was asked. */
  #pending: Promise<unknown> | undefined

  constructor(
    policies: readonly Policy[],
    exchange: Exchange,
    request: AdmittedRequest,
    environment: Omit<PolicyEnvironment, OwnCalls>,
  ) {
    this.#policies = policies
    this.#environment = environment
    this.#watching = [...policies.keys()].filter((at) => policies[at]!.progress)
    // Each has a view of its own, because each has a bound of its own.
    this.#views = policies.map(
      (_, at) =>
        new PolicyView(exchange, request, {
          ...environment,
          watchFrom: (tokens) => this.#bound(at, tokens),
          pause: () => this.#pause(),
        }),
    )
  }

  get isPaused(): boolean {
    return this.#pauses > 0 && !this.#isShared
  }

  #pause(): () => void {
    this.#pauses++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#pauses--
      if (this.#pauses === 0) this.onResume?.()
    }
  }

  #bound(at: number, generatedTokens: number): void {
    this.#bounds[at] = generatedTokens
    // A policy that has none leaves a hole, which `reduce` passes over.
    this.watchFrom = this.#bounds.reduce((least, bound) => Math.min(least, bound), Number.POSITIVE_INFINITY)
  }

  /**
   * Asks one policy after the other. Waits only if one of them does.
   *
   * @returns headers for the answer
   * @throws AiProxyError what a policy refused with, or `policy_failed`; as a rejection if one of them waited
   */
  admit(): PolicyHeaders | Promise<PolicyHeaders> {
    return this.#askFrom(0, {})
  }

  #askFrom(first: number, given: PolicyHeaders): PolicyHeaders | Promise<PolicyHeaders> {
    let headers = given
    for (let at = first; at < this.#policies.length; at++) {
      const policy = this.#policies[at]!
      this.#asked = at + 1
      const admission = this.#guarded(() => policy.admit?.(this.#views[at]!))
      if (isThenable(admission)) return this.#awaited(toPromise(admission), at, headers)
      headers = { ...headers, ...this.#headersOf(policy, admission) }
    }
    return headers
  }

  async #awaited(admission: Promise<Admission>, at: number, headers: PolicyHeaders): Promise<PolicyHeaders> {
    this.#pending = admission
    let admitted: Admission
    try {
      admitted = await admission
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#pending = undefined
    }
    const all = { ...headers, ...this.#headersOf(this.#policies[at]!, admitted) }
    return this.#isOver ? all : this.#askFrom(at + 1, all)
  }

  get #isOver(): boolean {
    return this.#views[0]?.isOver ?? false
  }

  /** @throws AiProxyError if the policy refuses */
  #headersOf({ name }: Policy, admission: unknown): PolicyHeaders {
    if (admission === undefined) return {}
    const refusal = this.#guarded(() => {
      if (!isObject(admission)) {
        throw new HookFault(`the policy ${name} must admit with an object or nothing; got ${shown(admission)}`)
      }
      return admission.refuse === undefined ? undefined : toPolicyFailure(name, admission.refuse)
    })
    if (refusal) throw refusal
    const { headers } = admission as { headers?: unknown }
    return headers === undefined ? {} : this.#guarded(() => checkedHeaders(name, headers))
  }

  check(): AiProxyError | undefined {
    if (this.#isShared) return undefined
    for (const at of this.#watching) {
      const policy = this.#policies[at]!
      try {
        const refusal = policy.progress?.(this.#views[at]!)
        if (refusal !== undefined) return toPolicyFailure(policy.name, refusal)
      } catch (error) {
        return this.#failed(error)
      }
    }
    return undefined
  }

  share(record: ExchangeRecord): void {
    this.#settleAsked(record)
    this.#isShared = true
    this.watchFrom = Number.POSITIVE_INFINITY
  }

  settle(record: ExchangeRecord): void {
    if (!this.#isShared) return this.#settleAsked(record)
    for (const [at, policy] of this.#policies.entries()) {
      this.#reported(() => policy.settleShared?.(record, this.#views[at]!))
    }
  }

  #settleAsked(record: ExchangeRecord): void {
    this.#environment.capacity.release()
    const pending = this.#pending
    const last = this.#asked - 1
    for (let at = 0; at < (pending ? last : this.#asked); at++) this.#settleOne(at, record)
    // What it acquires while the exchange ends it must know of before it can give it back.
    const settleLast = () => this.#settleOne(last, record)
    pending?.then(settleLast, settleLast)
  }

  #settleOne(at: number, record: ExchangeRecord): void {
    this.#reported(() => this.#policies[at]!.settle?.(record, this.#views[at]!))
  }

  /** Calls what may fail without consequences for the exchange, which has ended. */
  #reported(call: () => unknown): void {
    const report = (error: unknown) => this.#report(error)
    try {
      catchRejection(call(), report)
    } catch (error) {
      report(error)
    }
  }

  #guarded<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      throw this.#failed(error)
    }
  }

  #failed(error: unknown): AiProxyError {
    // A policy that stops waiting because the client has left does not fail.
    if (!this.#isOver) this.#report(error)
    return new AiProxyError('policy_failed', 'A policy of this server failed', { cause: error })
  }

  #report(error: unknown): void {
    this.#environment.config.hookErrors.report('policies', error, this.#views[0])
  }
}
