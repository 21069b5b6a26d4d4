import type { Admission, Policy, PolicyExchange, Refusal } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { AssumedOutput } from '../policies/assumed-output.js'
import { formatError } from '../util/format-error.js'
import { isThenable } from '../util/promises.js'
import { warn } from '../util/warn.js'
import { QuotaAccount, type QuotaAddition } from './account.js'
import { CalendarCache } from './calendar.js'
import { Denials } from './denials.js'
import { inputBySize, tokensFrom, usedTokens } from './estimates.js'
import { type GuardedAnswer, GuardedStore } from './guarded-store.js'
import { type LimitStatus, limitHeaders } from './headers.js'
import {
  type QuotaCharge,
  type QuotaOptions,
  type QuotaRequest,
  type ResolvedQuotaOptions,
  resolveQuotaOptions,
} from './options.js'
import { isUnasked, QuotaRun, statusOf } from './quota-run.js'
import { type Exceeded, refusalOf } from './refusal-of.js'
import { COST_UNITS, compileRules, type LimitBucket, MAX_AMOUNT, type QuotaRule } from './rules.js'
import type { Claim, Reserved } from './store.js'
import { boundOf, usedShare, usedSoFar } from './stream-use.js'
import { fitsIn, usedIn } from './usage.js'

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
   * @param tenant whose key it is; only a store that is a cluster must know
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

const NOBODY = { id: '' }

class QuotaPolicy implements Quota {
  readonly name = 'quota'
  readonly #options: ResolvedQuotaOptions
  readonly #store: GuardedStore
  readonly #calendar = new CalendarCache()
  readonly #account: QuotaAccount
  readonly #denials = new Denials()
  readonly #assumed = new AssumedOutput()
  readonly #runs = new Map<string, QuotaRun>()
  readonly #settling = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #hasWarned = false
  #exceeded = 0
  #cut = 0

  constructor(options: ResolvedQuotaOptions) {
    this.#options = options
    this.#account = new QuotaAccount(options.store, this.#calendar)
    this.#store = new GuardedStore(options.store, {
      whenFails: options.whenStoreFails,
      instances: options.instances,
      timeoutMs: options.storeTimeoutMs,
      onFailure: (error) => this.#warn(error),
      now: () => performance.now(),
    })
  }

  admit(exchange: PolicyExchange): Admission | Promise<Admission> {
    const { subject = NOBODY, model } = exchange
    const request: QuotaRequest = { subject, model, exchange }
    const rules = this.#options.limitsOf(request)
    return isThenable(rules)
      ? Promise.resolve(rules).then((all) => this.#reserve(request, all))
      : this.#reserve(request, rules)
  }

  #reserve({ subject, exchange }: QuotaRequest, rules: readonly QuotaRule[]): Admission | Promise<Admission> {
    // Which window counts is the store's to decide; this clock only finds the ones around.
    const buckets = compileRules(rules, Date.now(), this.#calendar)
    if (buckets.length === 0) return undefined
    // Embeddings and rankings generate nothing, and are billed by their input.
    const runsModel = exchange.generates || exchange.model !== undefined
    const input = runsModel ? this.#inputOf(exchange) : 0
    const output = exchange.generates ? this.#outputOf(exchange, buckets) : 0
    const isPriced = runsModel && buckets.some(({ kind }) => kind === 'cost')
    const price = isPriced ? exchange.price(tokensFrom(input, output)) : 0
    if (price === undefined && this.#options.enforce) {
      return { refuse: { code: 'price_unknown', message: PRICELESS } }
    }
    const cost = price ?? 0
    const run = new QuotaRun(exchange, subject.tenant ?? subject.id, buckets, input, { tokens: input + output, cost })
    const { enforce, leaseMs } = this.#options
    const denial = enforce ? this.#knownDenial(run) : undefined
    if (denial) {
      this.#noteExceeded(denial, exchange)
      return { refuse: refusalOf(denial, limitHeaders([denial.limit])) }
    }
    const claims = run.claims
    const answer = this.#store.reserve({ id: run.id, slot: run.slot, claims, leaseMs, force: !enforce })
    return isThenable(answer)
      ? Promise.resolve(answer).then((each) => this.#decide(run, exchange, each))
      : this.#decide(run, exchange, answer)
  }

  #decide(run: QuotaRun, exchange: PolicyExchange, answer: GuardedAnswer): Admission {
    if (!answer) {
      // What the store may have taken nevertheless is given back once it answers again.
      this.#schedule()
      return this.#options.enforce ? { refuse: UNAVAILABLE } : undefined
    }
    const { reserved } = answer
    if (reserved && !reserved.granted) {
      const exceeded = this.#firstExceeded(run, reserved)
      // Whatever `onExceeded` throws, what was taken by force is given back.
      if (!this.#options.enforce) this.#take(run, answer)
      this.#noteExceeded(exceeded, exchange)
      if (this.#options.enforce) return this.#refuse(run, reserved, exceeded)
    } else this.#take(run, answer)
    if (this.#options.onExhausted === 'cut' && run.isUsedUpByStreams) exchange.watchFrom(boundOf(run, exchange))
    return reserved && { headers: limitHeaders(statusesOf(run, reserved)) }
  }

  #take(run: QuotaRun, { at, reserved }: NonNullable<GuardedAnswer>): void {
    run.take(run.claims, reserved?.states ?? [], at)
    this.#runs.set(run.id, run)
    this.#schedule()
  }

  /** Returns the limit that has least room for a request: if it was this process's share that had none, it is one of those. */
  #firstExceeded(run: QuotaRun, { states, now }: Reserved): Exceeded {
    const shares = run.buckets.map((bucket, at) => {
      const state = states[at]!
      return (
        (usedIn(state, bucket.window, now) + state.held + run.needOf(bucket)) /
        Math.max(bucket.allowed, Number.MIN_VALUE)
      )
    })
    const at = shares.indexOf(Math.max(...shares))
    const [bucket, state] = [run.buckets[at]!, states[at]!]
    const needs = run.needOf(bucket)
    const fitsInMs = fitsIn(state, bucket.window, bucket.allowed, needs, now)
    return { limit: statusOf(bucket, state, now), needs: bucket.kind === 'cost' ? needs / COST_UNITS : needs, fitsInMs }
  }

  #refuse(run: QuotaRun, reserved: Reserved, exceeded: Exceeded): Admission {
    const { key, kind, per } = exceeded.limit
    const bucket = run.buckets.find((each) => each.key === key && each.kind === kind && each.per === per)
    // Only what was counted stays until the reset; what is held may be free at once.
    if (bucket && exceeded.fitsInMs > 0)
      this.#denials.add(idOf(run, bucket), bucket.allowed, run.needOf(bucket), exceeded, performance.now())
    return { refuse: refusalOf(exceeded, limitHeaders(statusesOf(run, reserved))) }
  }

  #knownDenial(run: QuotaRun): Exceeded | undefined {
    if (this.#denials.isEmpty) return undefined
    const now = performance.now()
    for (const bucket of run.buckets) {
      const denial = this.#denials.find(idOf(run, bucket), bucket.allowed, run.needOf(bucket), now)
      if (denial) return denial
    }
    return undefined
  }

  #noteExceeded(exceeded: Exceeded, exchange: PolicyExchange): void {
    this.#exceeded++
    this.#options.onExceeded?.(exceeded.limit, exchange)
  }

  progress(exchange: PolicyExchange): Refusal | undefined {
    if (this.#options.onExhausted !== 'cut' || !this.#options.enforce) return undefined
    const run = this.#runs.get(exchange.id)
    if (!run?.isUsedUpByStreams || run.at === 'nowhere') return undefined
    // Ask in good time: the answer may take as long as the rest lasts.
    let [share, kind] = usedShare(run, exchange)
    if (share > ASK_FROM && !run.isExtending && !run.isExhausted) {
      this.#extend(run, exchange)
      ;[share, kind] = usedShare(run, exchange)
    }
    // It has used what it holds: what follows may be more than is left.
    if (share >= 1 && run.isExtending) run.resume ??= exchange.pause()
    // Only if there is no more: the estimate of the input may have been too low, or the store may not have answered yet.
    if (share <= 1 || !run.isExhausted) return undefined
    this.#cut++
    const bucket = run.buckets.find((each) => each.kind === kind)!
    return { code: 'quota_exceeded', message: `The quota of ${kind} per ${bucket.per} for ${bucket.key} is used up` }
  }

  /** Asks for more of what a stream uses up: for what it lacks, and as much again; or for all that is left. */
  #extend(run: QuotaRun, exchange: PolicyExchange, rest?: readonly Claim[]): void {
    const used = usedSoFar(run, exchange)
    const cost = (exchange.price(used) ?? 0) * COST_UNITS
    const claims = rest ?? run.further({ tokens: used.total, cost })
    run.isExtending = true
    const decide = (answer: GuardedAnswer) => {
      run.isExtending = false
      if (answer) this.#decideFurther(run, exchange, claims, answer, rest !== undefined)
      // Unless it asks for the rest.
      if (run.isExtending) return
      run.resume?.()
      run.resume = undefined
    }
    const { leaseMs } = this.#options
    const answer = this.#store.reserve({ id: run.id, slot: run.slot, claims, leaseMs }, true)
    if (isThenable(answer)) void Promise.resolve(answer).then(decide)
    else decide(answer)
  }

  #decideFurther(
    run: QuotaRun,
    exchange: PolicyExchange,
    claims: readonly Claim[],
    { at, reserved }: NonNullable<GuardedAnswer>,
    isRest: boolean,
  ): void {
    if (!this.#runs.has(run.id)) return
    // The store has failed meanwhile, and requests pass.
    if (!reserved) {
      run.at = at
      return
    }
    if (reserved.granted) {
      run.isExhausted = isRest
      run.take(claims, reserved.states, at)
      return exchange.watchFrom(boundOf(run, exchange))
    }
    const left = isRest ? undefined : restOf(claims, reserved)
    if (left) return this.#extend(run, exchange, left)
    run.isExhausted = true
    // The input may have been told meanwhile.
    exchange.watchFrom(boundOf(run, exchange))
  }

  settle(record: ExchangeRecord, exchange: PolicyExchange): void | Promise<void> {
    const run = this.#runs.get(record.id)
    if (!run) return undefined
    this.#runs.delete(record.id)
    let charged: QuotaCharge | undefined
    try {
      charged = this.#options.charge?.(record)
    } catch (error) {
      // It gives back what it holds, and is charged what it used.
      void this.#charge(run, record, exchange, undefined)
      throw error
    }
    return this.#charge(run, record, exchange, charged)
  }

  #charge(
    run: QuotaRun,
    record: ExchangeRecord,
    exchange: PolicyExchange,
    charged: QuotaCharge | undefined,
  ): void | Promise<void> {
    const used = usedTokens(record, exchange.toldTokens, run.input)
    const cost = charged?.cost ?? (used && this.#costOf(record, used.total, exchange, run)) ?? 0
    const amounts = {
      tokens: Math.min(MAX_AMOUNT, Math.ceil(atLeast0(charged?.tokens ?? used?.total ?? 0))),
      cost: Math.min(MAX_AMOUNT, Math.ceil(atLeast0(cost) * COST_UNITS)),
    }
    this.#learn(record, run)
    const countsRequest = !isUnasked(record)
    // A request that is taken back makes room.
    if (!countsRequest) for (const { key } of run.buckets) this.#denials.forget(key)
    // A rehearsal must not use up what comes after it.
    const { enforce } = this.#options
    const inStore = run.settlement(amounts, countsRequest, run.beganAt !== 'store', enforce)
    const local = run.isLocal ? run.settlement(amounts, countsRequest, false, enforce) : undefined
    return this.#track(this.#store.settle(inStore, local))
  }

  #costOf(record: ExchangeRecord, total: number, exchange: PolicyExchange, run: QuotaRun): number | undefined {
    if (run.heldOf('cost') === Number.POSITIVE_INFINITY) return undefined
    // What was told and what is charged differ if the stream ended before its input was told.
    if (record.tokens?.total === total && record.cost !== undefined) return record.cost
    const used = usedTokens(record, exchange.toldTokens, run.input)
    // A model that only its answer names may have no price: what was held for it is charged.
    return (used && exchange.price(used)) ?? run.heldOf('cost') / COST_UNITS
  }

  #learn({ outcome, usage, tokens, model }: ExchangeRecord, run: QuotaRun): void {
    if (outcome !== 'completed' || !tokens || usage?.estimated !== false) return
    const key = run.buckets.find(({ kind }) => kind === 'tokens' || kind === 'cost')?.key
    if (key !== undefined) this.#assumed.add(key, model, tokens.visibleOutput + tokens.reasoning)
  }

  #inputOf(exchange: PolicyExchange): number {
    const { countInput } = this.#options
    return Math.ceil(atLeast0(countInput ? countInput(exchange) : inputBySize(exchange)))
  }

  #outputOf(exchange: PolicyExchange, buckets: readonly LimitBucket[]): number {
    const { assumedOutput } = this.#options
    if (exchange.maxOutputTokens !== undefined) return Math.ceil(exchange.maxOutputTokens)
    if (typeof assumedOutput === 'number') return Math.ceil(assumedOutput) * exchange.answers
    if (assumedOutput) return Math.ceil(atLeast0(assumedOutput(exchange)))
    const key = buckets.find(({ kind }) => kind === 'tokens' || kind === 'cost')?.key
    return key === undefined ? 0 : this.#assumed.of(key, exchange.model) * exchange.answers
  }

  status(key: string, tenant?: string): Promise<readonly LimitStatus[]> {
    return this.#account.status(key, tenant)
  }

  async reset(key: string, tenant?: string): Promise<void> {
    await this.#account.reset(key, tenant)
    this.#denials.forget(key)
  }

  async add(key: string, more: QuotaAddition, tenant?: string): Promise<void> {
    await this.#account.add(key, more, tenant)
    this.#denials.forget(key)
  }

  stats(): QuotaStats {
    const { failures: storeFailures, isDown: isStoreDown, missed } = this.#store
    return { running: this.#runs.size, exceeded: this.#exceeded, cut: this.#cut, storeFailures, isStoreDown, ...missed }
  }

  figures(): Record<string, number> {
    const { running, exceeded, cut, storeFailures, isStoreDown, pending, lost } = this.stats()
    return { running, exceeded, cut, store_failures: storeFailures, store_down: Number(isStoreDown), pending, lost }
  }

  async close(): Promise<void> {
    await Promise.all(this.#settling)
    await this.#renew()
    // Another middleware may share this quota: its exchanges still need their leases.
    if (this.#runs.size === 0) this.#unschedule()
  }

  #track(settling: void | Promise<void>): void | Promise<void> {
    if (!settling) return this.#schedule()
    this.#settling.add(settling)
    return settling.finally(() => {
      this.#settling.delete(settling)
      this.#schedule()
    })
  }

  /** Renews while there are leases to renew, or settlements that the store has missed. */
  #schedule(): void {
    if (this.#runs.size === 0 && this.#store.missed.pending === 0) return this.#unschedule()
    this.#timer ??= setInterval(() => void this.#renew(), this.#options.leaseMs / 3).unref()
  }

  #unschedule(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #renew(): Promise<void> {
    const runs = [...this.#runs.values()]
    const leasesOf = (some: readonly QuotaRun[]) => some.flatMap((run) => run.leases())
    const local = runs.filter((run) => run.isLocal)
    // A store that is back learns of what began while it was away.
    await this.#store.renew(leasesOf(runs), leasesOf(local), this.#options.leaseMs)
    if (this.#timer) this.#schedule()
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

/** The share of what is held from which more is asked for. */
const ASK_FROM = 0.5

const PRICELESS = 'This model has no price here, and the quota is one of money'
const UNAVAILABLE: Refusal = { code: 'quota_unavailable', message: 'The quota cannot be checked now' }

/** Returns claims for all that is left; `undefined` if nothing is left of one of them. */
function restOf(claims: readonly Claim[], { states, now }: Reserved): readonly Claim[] | undefined {
  const rest = claims.map((claim, at) => {
    const left = claim.allowed - usedIn(states[at]!, claim.window, now) - states[at]!.held
    return { ...claim, amount: Math.floor(Math.min(claim.amount, left)) }
  })
  return rest.every(({ amount }) => amount > 0) ? rest : undefined
}

function atLeast0(amount: number): number {
  return amount > 0 && Number.isFinite(amount) ? amount : 0
}

function idOf({ slot }: QuotaRun, { key, name }: LimitBucket): string {
  return `${key}\n${name}\n${slot}`
}

function statusesOf({ buckets }: QuotaRun, { states, now }: Reserved): readonly LimitStatus[] {
  return buckets.map((bucket, at) => statusOf(bucket, states[at]!, now))
}
