import type { PolicyExchange, Refusal } from '../api/policy.js'
import { isThenable } from '../util/promises.js'
import type { GuardedAnswer, GuardedStore } from './guarded-store.js'
import type { ResolvedQuotaOptions } from './options.js'
import type { QuotaRun } from './quota-run.js'
import type { LimitBucket } from './rules.js'
import { COST_UNITS } from './rules.js'
import type { RunningRequests } from './running-requests.js'
import type { BucketState, Claim, Reserved } from './store.js'
import { boundOf, usedShare, usedSoFar } from './stream-use.js'
import { usedIn } from './usage.js'

/** Once this share of what is held is used, the stream asks for more. */
const ASK_FROM = 0.5

/** Asks for more while streams use up what they hold, and ends those for which there is no more. */
export class FurtherUse {
  readonly #options: ResolvedQuotaOptions
  readonly #store: GuardedStore
  readonly #running: RunningRequests
  #cut = 0

  constructor(options: ResolvedQuotaOptions, store: GuardedStore, running: RunningRequests) {
    this.#options = options
    this.#store = store
    this.#running = running
  }

  /** Streams that were ended. */
  get cut(): number {
    return this.#cut
  }

  /** @returns why the stream ends here */
  check(exchange: PolicyExchange): Refusal | undefined {
    if (this.#options.onExhausted !== 'cut' || !this.#options.enforce) return undefined
    const run = this.#running.get(exchange.id)
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
    const bucket = run.exhausted ?? run.buckets.find((each) => each.kind === kind)!
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
    { at, reserved, claims: asked }: NonNullable<GuardedAnswer>,
    isRest: boolean,
  ): void {
    if (!this.#running.get(run.id)) return
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
    run.exhausted = tightest(run, asked, reserved)
    const left = isRest ? undefined : restOf(claims, asked, reserved)
    if (left) return this.#extend(run, exchange, left)
    run.isExhausted = true
    // The input may have been reported meanwhile.
    exchange.watchFrom(boundOf(run, exchange))
  }
}

/**
 * Returns claims for all that is left; `undefined` if nothing is left of one of them.
 *
 * @param asked the claims as they were asked for where they were refused
 */
function restOf(
  claims: readonly Claim[],
  asked: readonly Claim[],
  { states, now }: Reserved,
): readonly Claim[] | undefined {
  const rest = claims.map((claim, at) => {
    return { ...claim, amount: Math.floor(Math.min(claim.amount, leftOf(asked[at]!, states[at]!, now))) }
  })
  return rest.every(({ amount }) => amount > 0) ? rest : undefined
}

/** Returns the limit that has least left of what was asked for. */
function tightest(run: QuotaRun, asked: readonly Claim[], { states, now }: Reserved): LimitBucket | undefined {
  const shares = asked.map((claim, at) => leftOf(claim, states[at]!, now) / claim.amount)
  const { key, name } = asked[shares.indexOf(Math.min(...shares))]!
  return run.buckets.find((bucket) => bucket.key === key && bucket.name === name)
}

function leftOf({ allowed, window }: Claim, state: BucketState, now: number): number {
  return allowed - usedIn(state, window, now) - state.held
}
