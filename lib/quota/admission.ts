import type { Admission, PolicyExchange, Refusal } from '../api/policy.js'
import type { Subject } from '../api/subject.js'
import { ignoreRejection, isThenable, toPromise } from '../util/promises.js'
import type { CalendarCache } from './calendar.js'
import { Denials } from './denials.js'
import type { GuardedAnswer, GuardedStore } from './guarded-store.js'
import { type LimitStatus, limitHeaders } from './headers.js'
import type { ResolvedQuotaOptions } from './options.js'
import { QuotaRun, statusOf } from './quota-run.js'
import { type Exceeded, refusalOf } from './refusal-of.js'
import { type RequestNeeds, runsModel } from './request-needs.js'
import { COST_UNITS, compileRules, type LimitBucket, type QuotaRule } from './rules.js'
import type { RunningRequests } from './running-requests.js'
import type { BucketState, Reserved } from './store.js'
import { boundOf } from './stream-use.js'
import { fitsIn, usedIn } from './usage.js'

const NOBODY = { id: '' }
const PRICELESS = 'This model has no price here, and the quota limits money'
const UNAVAILABLE: Refusal = { code: 'quota_unavailable', message: 'The quota cannot be checked now' }

/** What an admission needs of its quota. */
interface QuotaParts {
  readonly options: ResolvedQuotaOptions
  readonly store: GuardedStore
  readonly calendar: CalendarCache
  readonly needs: RequestNeeds
  readonly running: RunningRequests
}

/** Reserves what requests may need, all of it or nothing, and refuses those that exceed a limit. */
export class QuotaAdmission {
  readonly #parts: QuotaParts
  readonly #denials = new Denials()
  /** What `onExceeded` still does. */
  readonly #notices = new WeakMap<PolicyExchange, Promise<unknown>>()
  #exceeded = 0

  constructor(parts: QuotaParts) {
    this.#parts = parts
  }

  /** Requests that exceeded a limit, also if they were not refused. */
  get exceeded(): number {
    return this.#exceeded
  }

  /** Returns what rejects if `onExceeded` does; `undefined` if it has returned no promise for the exchange. */
  noticeOf(exchange: PolicyExchange): Promise<unknown> | undefined {
    return this.#notices.get(exchange)
  }

  admit(exchange: PolicyExchange): Admission | Promise<Admission> {
    const { subject = NOBODY, model } = exchange
    const rules = this.#parts.options.limitsOf({ subject, model }, exchange)
    return isThenable(rules)
      ? Promise.resolve(rules).then((all) => this.#reserve(subject, exchange, all))
      : this.#reserve(subject, exchange, rules)
  }

  /** Returns the limits of an exchange that asks for nothing of them. */
  async runOf(exchange: PolicyExchange): Promise<QuotaRun> {
    const { options, calendar } = this.#parts
    const { subject = NOBODY, model } = exchange
    const buckets = compileRules(await options.limitsOf({ subject, model }, exchange), Date.now(), calendar)
    return new QuotaRun(exchange, slotOf(subject), buckets, 0, { tokens: 0, cost: 0 })
  }

  /** Something of a key was given back: it may be asked for again. */
  forgetDenials(key: string): void {
    this.#denials.forget(key)
  }

  #reserve(subject: Subject, exchange: PolicyExchange, rules: readonly QuotaRule[]): Admission | Promise<Admission> {
    const { options, store, calendar, needs } = this.#parts
    const { enforce, leaseMs } = options
    // Which window counts is the store's to decide; this clock only finds the ones around.
    const buckets = compileRules(rules, Date.now(), calendar)
    if (buckets.length === 0) return undefined
    const [input, output] = [needs.inputOf(exchange), needs.outputOf(exchange, buckets)]
    const cost = buckets.some(({ kind }) => kind === 'cost') ? needs.costOf(exchange, input, output) : 0
    if (cost === undefined && enforce) return { refuse: { code: 'price_unknown', message: PRICELESS } }
    const most = { tokens: runsModel(exchange) ? Math.max(1, input + output) : 0, cost: cost ?? 0 }
    const run = new QuotaRun(exchange, slotOf(subject), buckets, input, most)
    const denial = enforce ? this.#knownDenial(run) : undefined
    if (denial) {
      this.#noteExceeded(denial, exchange)
      return { refuse: refusalOf(denial, limitHeaders([denial.limit]), exchange.format) }
    }
    const answer = store.reserve({ id: run.id, slot: run.slot, claims: run.claims, leaseMs, force: !enforce })
    return isThenable(answer)
      ? Promise.resolve(answer).then((each) => this.#decide(run, exchange, each))
      : this.#decide(run, exchange, answer)
  }

  #decide(run: QuotaRun, exchange: PolicyExchange, answer: GuardedAnswer): Admission {
    const { enforce, onExhausted } = this.#parts.options
    // What the store may have taken nevertheless is given back once it answers again.
    if (answer?.at !== 'store') this.#parts.running.schedule()
    if (!answer) return enforce ? { refuse: UNAVAILABLE } : undefined
    const { reserved } = answer
    const buckets = bucketsAt(run, answer)
    if (reserved && !reserved.granted) {
      const exceeded = longestExceeded(run, buckets, reserved)
      // Whatever `onExceeded` throws, what was taken by force is given back.
      if (!enforce) this.#take(run, answer)
      this.#noteExceeded(exceeded, exchange)
      if (enforce) {
        // A share that is used up says nothing of what the store has once it is back.
        if (answer.at === 'store') this.#rememberDenial(run, exceeded)
        return { refuse: refusalOf(exceeded, limitHeaders(statusesOf(buckets, reserved)), exchange.format) }
      }
    } else this.#take(run, answer)
    if (onExhausted === 'cut' && run.isUsedUpByStreams) exchange.watchFrom(boundOf(run, exchange))
    return reserved && { headers: limitHeaders(statusesOf(buckets, reserved)) }
  }

  #take(run: QuotaRun, { at, reserved }: NonNullable<GuardedAnswer>): void {
    run.take(run.claims, reserved?.states ?? [], at)
    this.#parts.running.add(run)
  }

  #rememberDenial(run: QuotaRun, exceeded: Exceeded): void {
    const { key, kind, per } = exceeded.limit
    const bucket = run.buckets.find((each) => each.key === key && each.kind === kind && each.per === per)
    // Only settled use stays until the reset; leases may be released at any moment.
    if (bucket && exceeded.fitsInMs > 0)
      this.#denials.add(idOf(run, bucket), bucket.allowed, run.needOf(bucket), exceeded, performance.now())
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
    const notice: unknown = this.#parts.options.onExceeded?.(exceeded.limit, exchange)
    if (!isThenable(notice)) return
    const promise = toPromise(notice)
    // It is awaited only once the exchange has ended.
    ignoreRejection(promise)
    this.#notices.set(exchange, promise)
  }
}

/** Requests of one tenant are kept together. */
function slotOf({ tenant, id }: Subject): string {
  return tenant ?? id
}

/** Returns the buckets of a request with what was allowed where it was reserved: in this process, a share. */
function bucketsAt({ buckets }: QuotaRun, { at, claims }: NonNullable<GuardedAnswer>): readonly LimitBucket[] {
  return at === 'local' ? buckets.map((bucket, index) => ({ ...bucket, allowed: claims[index]!.allowed })) : buckets
}

/** Returns the limit that a request exceeds; of several, the one that it has to wait for longest. */
function longestExceeded(run: QuotaRun, buckets: readonly LimitBucket[], { states, now }: Reserved): Exceeded {
  const all = buckets.map((bucket, at) => standingOf(run, bucket, states[at]!, now))
  const [first] = all.sort((one, other) => other.waitMs - one.waitMs || other.share - one.share)
  return first!.exceeded
}

/** Returns how a limit stands to a request: how long it has to wait for it, and the share that would be used with it. */
function standingOf(run: QuotaRun, bucket: LimitBucket, state: BucketState, now: number) {
  const needs = run.needOf(bucket)
  const used = usedIn(state, bucket.window, now) + state.held + needs
  const fitsInMs = fitsIn(state, bucket.window, bucket.allowed, needs, now)
  const limit = statusOf(bucket, state, now)
  const exceeded: Exceeded = { limit, needs: bucket.kind === 'cost' ? needs / COST_UNITS : needs, fitsInMs }
  // What it does not need cannot be in its way.
  if (needs === 0) return { share: 0, waitMs: 0, exceeded }
  const share = used / Math.max(bucket.allowed, Number.MIN_VALUE)
  return { share, waitMs: Math.min(fitsInMs, Number.MAX_VALUE), exceeded }
}

function idOf({ slot }: QuotaRun, { key, name }: LimitBucket): string {
  return `${key}\n${name}\n${slot}`
}

function statusesOf(buckets: readonly LimitBucket[], { states, now }: Reserved): readonly LimitStatus[] {
  return buckets.map((bucket, at) => statusOf(bucket, states[at]!, now))
}
