import type { PolicyExchange } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { isUnsent } from './estimates.js'
import type { ReservedAt } from './guarded-store.js'
import type { LimitStatus } from './headers.js'
import { COST_UNITS, type LimitBucket, MAX_AMOUNT, type QuotaKind } from './rules.js'
import type { BucketState, Charge, Claim, Lease, Settlement } from './store.js'
import { clearsIn, usedIn } from './usage.js'

/** What one exchange needs of its limits, holds of them, and is charged for. */
export class QuotaRun {
  readonly id: string
  readonly slot: string
  readonly buckets: readonly LimitBucket[]
  /** The estimate of its input, in tokens. */
  readonly input: number
  /** Where it was reserved last; `undefined` until it was. */
  at: ReservedAt | undefined
  /** Where it was reserved when it began. */
  beganAt: ReservedAt | undefined
  /** This process holds something for it. */
  isLocal = false
  /** More has been asked for, and the answer is awaited. */
  isExtending = false
  /** Resumes the stream, which waits for that answer. */
  resume: (() => void) | undefined
  /** There was no more. */
  isExhausted = false
  /** Of what there was least left when more was asked for. */
  exhausted: LimitBucket | undefined
  readonly #needs: Readonly<Record<QuotaKind, number>>
  readonly #held: Map<LimitBucket, number>
  #states: readonly BucketState[] = []
  /** What it asks for when it begins. */
  readonly claims: readonly Claim[]

  constructor(
    exchange: Pick<PolicyExchange, 'id'>,
    slot: string,
    buckets: readonly LimitBucket[],
    input: number,
    needs: { readonly tokens: number; readonly cost: number },
  ) {
    this.id = exchange.id
    this.slot = slot
    this.buckets = buckets
    this.input = input
    // A client may ask for any number of tokens; amounts that exceed every limit are treated alike.
    const atMost = (amount: number) => Math.min(MAX_AMOUNT + 1, amount)
    const cost = Math.ceil(needs.cost * COST_UNITS)
    this.#needs = { requests: 1, concurrent: 1, tokens: atMost(needs.tokens), cost: atMost(cost) }
    this.#held = new Map()
    this.claims = buckets.map((bucket) => claimOf(bucket, this.#needs[bucket.kind]))
  }

  needOf({ kind }: LimitBucket): number {
    return this.#needs[kind]
  }

  /** What it asks for if it uses up what it holds: what it lacks, and as much again as it holds. */
  further(used: { readonly tokens: number; readonly cost: number }): readonly Claim[] {
    return this.#usedUp().map((bucket) => {
      const held = this.heldOf(bucket.kind)
      const lacking = Math.max(0, used[bucket.kind as 'tokens' | 'cost'] - held)
      return claimOf(bucket, Math.max(1, Math.ceil(lacking + held)))
    })
  }

  /** What is used up while a stream runs. */
  #usedUp(): readonly LimitBucket[] {
    return this.buckets.filter(({ kind }) => kind === 'tokens' || kind === 'cost')
  }

  get isUsedUpByStreams(): boolean {
    return this.#usedUp().length > 0
  }

  /** Notes what was reserved. */
  take(claims: readonly Claim[], states: readonly BucketState[], at: ReservedAt): void {
    this.at = at
    this.beganAt ??= at
    if (at === 'local') this.isLocal = true
    if (claims === this.claims) this.#states = states
    for (const { key, name, amount, countsAtOnce } of claims) {
      if (countsAtOnce) continue
      const bucket = this.buckets.find((each) => each.key === key && each.name === name)
      if (bucket) this.#held.set(bucket, (this.#held.get(bucket) ?? 0) + amount)
    }
  }

  /** The least that it holds of limits of a kind. */
  heldOf(kind: QuotaKind): number {
    const held = this.buckets.filter((bucket) => bucket.kind === kind).map((bucket) => this.#held.get(bucket) ?? 0)
    return held.length === 0 ? Number.POSITIVE_INFINITY : Math.min(...held)
  }

  leases(): readonly Lease[] {
    const byKey = new Map<string, Record<string, number>>()
    for (const [{ key, name }, amount] of this.#held) byKey.set(key, { ...byKey.get(key), [name]: amount })
    return [...byKey].map(([key, held]) => ({ id: this.id, slot: this.slot, key, held }))
  }

  /**
   * Returns what it is charged.
   *
   * @param used tokens and billionths of the currency
   * @param countsRequest `false` takes back that it was counted as a request
   * @param carries whether an overdraft is taken from the next window
   * @param isUnknown whether the store has counted it as a request is not known: its answer was lost, or it was not asked
   */
  settlement(
    used: { readonly tokens: number; readonly cost: number },
    countsRequest: boolean,
    isUnknown: boolean,
    carries: boolean,
  ): Settlement {
    const charges = this.buckets.map((bucket, at): Charge => {
      const { kind, key, name, window, allowed } = bucket
      const isUsage = kind === 'tokens' || kind === 'cost'
      const isRequest = kind === 'requests'
      const unlessReserved = isRequest && isUnknown && countsRequest
      const isTakenBack = isRequest && !isUnknown && !countsRequest
      return {
        key,
        name,
        window,
        allowed,
        unlessReserved,
        amount: isUsage ? used[kind] : unlessReserved || isTakenBack ? 1 : 0,
        takenBackFrom: isTakenBack ? this.#states[at]?.window : undefined,
        carries: isUsage ? carries : true,
      }
    })
    return { id: this.id, slot: this.slot, charges }
  }
}

/** Written out, because a spread for each limit of each request would cost more than everything else. */
function claimOf({ kind, key, name, window, allowed }: LimitBucket, amount: number): Claim {
  return { key, name, window, allowed, amount, countsAtOnce: kind === 'requests' }
}

/** Returns how a limit stands. */
export function statusOf(bucket: LimitBucket, state: BucketState, now: number): LimitStatus {
  const unit = bucket.kind === 'cost' ? COST_UNITS : 1
  return {
    key: bucket.key,
    kind: bucket.kind,
    per: bucket.per,
    allowed: bucket.allowed / unit,
    used: (usedIn(state, bucket.window, now) + state.held) / unit,
    resetMs: clearsIn(state, bucket.window, now),
  }
}

/**
 * Returns whether an exchange does not count as a request: it was refused before anything went out, or another's answer is
 * its own.
 */
export function isUnasked({ attempts, outcome, status, cache }: ExchangeRecord): boolean {
  if (cache === 'hit' || cache === 'join') return true
  // A request whose client left counts: otherwise a client that always leaves would never be limited.
  return (
    attempts.every(isUnsent) && outcome !== 'client_disconnect' && (status === undefined || outcome !== 'completed')
  )
}
