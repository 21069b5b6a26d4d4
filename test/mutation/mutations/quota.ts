import { mutationsOf } from '../mutation.js'

/** Who may use how much: what is reserved, what is charged, and what is refused. */
export const quota = mutationsOf(
  'quota',
  ['test/quota/memory-store.test.ts', 'test/e2e/quota.test.ts', 'test/e2e/quota-edges.test.ts'],
  [
    [
      'usedIn(before[at]!, claim.window, now) + before[at]!.held + claim.amount <= claim.allowed',
      'usedIn(before[at]!, claim.window, now) + claim.amount <= claim.allowed',
    ],
    [
      'usedIn(before[at]!, claim.window, now) + before[at]!.held + claim.amount <= claim.allowed',
      'usedIn(before[at]!, claim.window, now) + before[at]!.held + claim.amount < claim.allowed',
    ],
    ['const hasRoom = claims.every(', 'const hasRoom = claims.some('],
    ['if (lease.expiresAt <= now) this.#release(key, id)', 'if (lease) this.#release(key, id)'],
    ['if (expiresAt >= lease.queuedFor) return', 'if (lease.queuedFor < Number.POSITIVE_INFINITY) return'],
    [
      'excess = carries && next !== undefined ? Math.max(0, Math.min(amount, counted - allowed)) : 0',
      'excess = carries && next !== undefined ? Math.max(0, counted - allowed) : 0',
    ],
    [
      'return state.current + state.previous * (1 - (now % window.ms) / window.ms)',
      'return state.current + state.previous',
      'test/quota/usage.test.ts',
      'test/quota/memory-store.test.ts',
    ],
    ['if (FAILED.has(outcome)) return reported', 'if (FAILED.has(outcome)) return tokens'],
    ['if (share <= 1 || !run.isExhausted) return undefined', 'if (!run.isExhausted) return undefined'],
    ['if (share <= 1 || !run.isExhausted) return undefined', 'if (share <= 1) return undefined'],
    ['if (!countsRequest) for (const { key } of run.buckets) this.#admission.forgetDenials(key)', ''],
    [
      'amount < denial.amount || allowed > denial.allowed',
      'amount < denial.amount',
      'test/quota/denials.test.ts',
      'test/e2e/quota-edges.test.ts',
    ],
    [
      "if (answer.at === 'store') this.#rememberDenial(run, exceeded)",
      'this.#rememberDenial(run, exceeded)',
      'test/e2e/quota-local.test.ts',
    ],
    ['leftOf(asked[at]!, states[at]!, now)', 'leftOf(claim, states[at]!, now)', 'test/e2e/quota-local.test.ts'],
    ['claim.amount === 0 ||', '', 'test/e2e/quota-needs.test.ts'],
    ['if (needs === 0) return { share: 0, waitMs: 0, exceeded }', '', 'test/e2e/quota-needs.test.ts'],
    ['other.waitMs - one.waitMs || ', ''],
    ["if (outcome !== 'completed' || !tokens || usage?.estimated !== false) return", 'if (!tokens) return'],
  ],
)
