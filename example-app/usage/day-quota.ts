import { type Quota, type QuotaStore, quota } from 'express-ai-proxy/quota'
import type { Tier, User } from '../http/sign-in.js'

/** What one user may use on one day. Days begin at midnight, UTC. */
interface DayLimits {
  readonly tokens: number
  /** US dollars. */
  readonly cost: number
}

/** What users of a tier may use. */
export type LimitsByTier = Readonly<Record<Tier, DayLimits>>

/** A few answers of the stand-in use up what is free. */
export const dayLimits: LimitsByTier = {
  paid: { tokens: 100_000, cost: 1 },
  free: { tokens: 10_000, cost: 0.05 },
  guest: { tokens: 1_000_000, cost: 10 },
}

/** What is left of one limit. What answers under way may still use counts as used. */
interface Left {
  readonly kind: keyof DayLimits
  readonly allowed: number
  readonly left: number
}

interface DayQuotaOptions {
  readonly store: QuotaStore
  readonly limits: LimitsByTier
  /** Whether any model has a price. Without one, money is not limited. */
  readonly hasPrices: boolean
}

const NO_TOKENS = { uncachedInput: 0, cachedInput: 0, cacheWrite: 0, visibleOutput: 0, reasoning: 0, total: 0 }

/** Limits the tokens and the money of each user's day. */
export class DayQuota {
  /** The policy; all middlewares share it. */
  readonly policy: Quota
  readonly #limits: LimitsByTier
  readonly #kinds: readonly (keyof DayLimits)[]

  constructor({ store, limits, hasPrices }: DayQuotaOptions) {
    this.#limits = limits
    this.#kinds = hasPrices ? ['tokens', 'cost'] : ['tokens']
    this.policy = quota({
      store,
      limits: ({ subject }, exchange) => {
        const { tokens, cost } = limits[subject.tier as Tier]
        // A model without a price costs tokens alone: a limit on money would refuse it.
        const isPriced = exchange.price(NO_TOKENS) !== undefined
        return [{ key: keyOf(subject.id), tokens, ...(isPriced && { cost }), per: 'day' }]
      },
    })
  }

  /** Returns what is left of a user's day; `undefined` if the store does not say. */
  async leftFor({ id, team, tier }: User): Promise<Left[] | undefined> {
    try {
      const known = await this.policy.status(keyOf(id), team ?? id)
      return this.#kinds.map((kind) => {
        const allowed = this.#limits[tier][kind]
        // A limit is not known to the store until it is used.
        const used = known.find((limit) => limit.kind === kind)?.used ?? 0
        return { kind, allowed, left: Math.max(0, allowed - used) }
      })
    } catch {
      return undefined
    }
  }
}

/** Returns when the next day begins, in milliseconds since the epoch. */
export function nextDay(now = Date.now()): number {
  return new Date(now).setUTCHours(24, 0, 0, 0)
}

function keyOf(userId: string): string {
  return `user:${userId}`
}
