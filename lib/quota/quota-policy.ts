import type { Admission, Policy, PolicyExchange, Refusal } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { formatError } from '../util/format-error.js'
import { inTime } from '../util/in-time.js'
import { warn } from '../util/warn.js'
import { QuotaAccount, type QuotaAddition } from './account.js'
import { QuotaAdmission } from './admission.js'
import { checkedCharge } from './app-amounts.js'
import { CalendarCache } from './calendar.js'
import { chargedAmounts, inUnits } from './charged-amounts.js'
import { FurtherUse } from './further-use.js'
import { GuardedStore } from './guarded-store.js'
import type { LimitStatus } from './headers.js'
import { type QuotaCharge, type QuotaOptions, type ResolvedQuotaOptions, resolveQuotaOptions } from './options.js'
import { isUnasked, type QuotaRun } from './quota-run.js'
import { RequestNeeds } from './request-needs.js'
import { RunningRequests } from './running-requests.js'

/** How long the function `limits` may take once an exchange has ended. */
const LIMITS_MS = 10_000

/** Counters of a quota since it was made. */
export interface QuotaStats {
  /** Exchanges that hold something. */
  readonly running: number
  /** Requests that exceeded a limit. */
  readonly exceeded: number
  /** Streams that were cut. */
  readonly cut: number
  /** Calls of the store that failed. */
  readonly storeFailures: number
  /** Whether the last call of the store failed. */
  readonly isStoreDown: boolean
  /** Settlements that wait for the store. */
  readonly pending: number
  /** Settlements that were given up, because too many waited. */
  readonly lost: number
}

/** A policy that limits requests, tokens, money and concurrency. */
export interface Quota extends Policy {
  /**
   * Returns how the limits of a key stand, as of their last use, on any machine.
   *
   * @param key the `key` of a rule
   * @param tenant the tenant that the key belongs to; only a Redis cluster needs it. Default: the key
   */
  status(key: string, tenant?: string): Promise<readonly LimitStatus[]>
  /** Forgets what was counted for a key. What requests under way hold stays. */
  reset(key: string, tenant?: string): Promise<void>
  /** Adds to what a key may use in its current windows. Only limits that have been used can be added to. */
  add(key: string, more: QuotaAddition, tenant?: string): Promise<void>
  /** Returns counters since it was made. */
  stats(): QuotaStats
}

/** Creates the policy. @throws TypeError if an option is wrong */
export function quota(options: QuotaOptions): Quota {
  return new QuotaPolicy(resolveQuotaOptions(options))
}

class QuotaPolicy implements Quota {
  readonly name = 'quota'
  readonly #options: ResolvedQuotaOptions
  readonly #store: GuardedStore
  readonly #account: QuotaAccount
  readonly #needs: RequestNeeds
  readonly #running: RunningRequests
  readonly #admission: QuotaAdmission
  readonly #further: FurtherUse
  #hasWarned = false

  constructor(options: ResolvedQuotaOptions) {
    const calendar = new CalendarCache()
    const store = new GuardedStore(options.store, {
      whenFails: options.whenStoreFails,
      instances: options.instances,
      timeoutMs: options.storeTimeoutMs,
      onFailure: (error) => this.#warn(error),
      now: () => performance.now(),
    })
    const needs = new RequestNeeds(options)
    const running = new RunningRequests(store, options.leaseMs)
    this.#options = options
    this.#store = store
    this.#account = new QuotaAccount(options.store, calendar, options.storeTimeoutMs)
    this.#needs = needs
    this.#running = running
    this.#admission = new QuotaAdmission({ options, store, calendar, needs, running })
    this.#further = new FurtherUse(options, store, running)
  }

  admit(exchange: PolicyExchange): Admission | Promise<Admission> {
    return this.#admission.admit(exchange)
  }

  progress(exchange: PolicyExchange): Refusal | undefined {
    return this.#further.check(exchange)
  }

  settle(record: ExchangeRecord, exchange: PolicyExchange): void | Promise<void> {
    const settled = this.#settle(record, exchange)
    // What `onExceeded` rejects with is reported, like all that a policy rejects with.
    const notice = this.#admission.noticeOf(exchange)
    return notice ? Promise.all([settled, notice]).then(() => {}) : settled
  }

  #settle(record: ExchangeRecord, exchange: PolicyExchange): void | Promise<void> {
    const run = this.#running.take(record.id)
    if (!run) return undefined
    let charged: QuotaCharge | undefined
    try {
      // What another's answer is worth is known once it has ended.
      charged = record.cache === undefined || record.cache === 'miss' ? this.#chargeOf(record, exchange) : undefined
    } catch (error) {
      // It gives back what it holds, and is charged what it used.
      void this.#charge(run, record, exchange, undefined)
      throw error
    }
    return this.#charge(run, record, exchange, charged)
  }

  #chargeOf(record: ExchangeRecord, exchange: PolicyExchange): QuotaCharge | undefined {
    return checkedCharge(this.#options.charge?.(record, exchange))
  }

  /** Charges what the app's `charge` returns for the answer of another exchange; without `charge`, nothing. */
  settleShared(record: ExchangeRecord, exchange: PolicyExchange): void | Promise<void> {
    const charged = this.#chargeOf(record, exchange)
    return charged && this.#running.track(this.#chargeShared(exchange, charged))
  }

  async #chargeShared(exchange: PolicyExchange, charged: QuotaCharge): Promise<void> {
    // No deadline of the exchange, which is over, ends this wait, and `close` waits for it.
    const run = await inTime(this.#admission.runOf(exchange), LIMITS_MS, 'limits')
    const amounts = run.settlement(inUnits(charged), false, true, this.#options.enforce)
    // By the exchange's own id, what it held may have been settled before.
    const settlement = { ...amounts, id: `${run.id}/shared` }
    await this.#store.settle(settlement, this.#store.isReplaced ? settlement : undefined)
  }

  #charge(
    run: QuotaRun,
    record: ExchangeRecord,
    exchange: PolicyExchange,
    charged: QuotaCharge | undefined,
  ): void | Promise<void> {
    const amounts = chargedAmounts(run, record, exchange, charged)
    this.#needs.learn(record, run.buckets, exchange.answers)
    const countsRequest = !isUnasked(record)
    // A request that is taken back makes room.
    if (!countsRequest) for (const { key } of run.buckets) this.#admission.forgetDenials(key)
    // A rehearsal must not use up what comes after it.
    const { enforce } = this.#options
    const inStore = run.settlement(amounts, countsRequest, run.beganAt !== 'store', enforce)
    const local = run.isLocal ? run.settlement(amounts, countsRequest, false, enforce) : undefined
    return this.#running.track(this.#store.settle(inStore, local))
  }

  status(key: string, tenant?: string): Promise<readonly LimitStatus[]> {
    return this.#account.status(key, tenant)
  }

  async reset(key: string, tenant?: string): Promise<void> {
    await this.#account.reset(key, tenant)
    this.#admission.forgetDenials(key)
  }

  async add(key: string, more: QuotaAddition, tenant?: string): Promise<void> {
    await this.#account.add(key, more, tenant)
    this.#admission.forgetDenials(key)
  }

  stats(): QuotaStats {
    const { failures: storeFailures, isDown: isStoreDown, missed } = this.#store
    const [{ exceeded }, { cut }] = [this.#admission, this.#further]
    return { running: this.#running.size, exceeded, cut, storeFailures, isStoreDown, ...missed }
  }

  figures(): Record<string, number> {
    const { running, exceeded, cut, storeFailures, isStoreDown, pending, lost } = this.stats()
    return { running, exceeded, cut, store_failures: storeFailures, store_down: Number(isStoreDown), pending, lost }
  }

  close(): Promise<void> {
    return this.#running.close()
  }

  #warn(error: unknown): void {
    if (this.#hasWarned) return
    this.#hasWarned = true
    warn(
      'AI_PROXY_QUOTA_STORE',
      `The store of quotas cannot be reached: ${WHEN[this.#options.whenStoreFails]}`,
      formatError(error),
    )
  }
}

const WHEN = {
  local: 'each process counts its share by itself until it is back',
  open: 'requests pass uncounted until it is back',
  closed: 'requests are refused until it is back',
}
