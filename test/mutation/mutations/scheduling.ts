import { mutationsOf } from '../mutation.js'

/** Turns, and the guard against overload. */
export const scheduling = mutationsOf(
  'scheduling',
  ['test/scheduling/turns.test.ts'],
  [
    [
      'if (this.#brief.length > 0 || this.#briefMs >= this.#briefBudgetMs) return this.enqueue(taker)',
      'if (this.#brief.length > 0) return this.enqueue(taker)',
    ],
    [
      'const followed = Math.min(othersMs, 2 * this.#allowedMs, MAX_BUDGET_MS)',
      'const followed = Math.min(othersMs, 2 * this.#allowedMs)',
    ],
    [
      'const followed = Math.min(othersMs, 2 * this.#allowedMs, MAX_BUDGET_MS)',
      'const followed = Math.min(othersMs, MAX_BUDGET_MS)',
    ],
    ['this.#hadBursts = this.#bursting.length > 0', ''],
    ['? BESIDE_BURSTS : WITHOUT_BURSTS', '? BESIDE_BURSTS : BESIDE_BURSTS'],
    ['const othersMs = began - this.#deferredAt - this.#ownMs', 'const othersMs = began - this.#deferredAt'],
    ['return ms + extraCostMs', 'return ms'],
    ['const queue = taker.isBursting ? this.#bursting : this.#brief', 'const queue = this.#brief'],
    ['this.#slots[this.#next++] = undefined', 'this.#next++'],
    [
      'if (lateMs <= this.#maxDelayMs) return',
      'if (lateMs < this.#maxDelayMs) return',
      'test/scheduling/overload.test.ts',
    ],
    [
      'const lateMs = Math.max(this.#delayMs, this.#clock.now() - this.#dueAt)',
      'const lateMs = this.#delayMs',
      'test/scheduling/overload.test.ts',
    ],
    ['timer.unref()\n    this.#timer = timer', 'this.#timer = timer', 'test/scheduling/overload.test.ts'],
    [
      'shared.budgetMs = smallestBudgetMs = Math.min(smallestBudgetMs, budgetMs)',
      'shared.budgetMs = smallestBudgetMs = budgetMs',
      'test/scheduling/turns.test.ts',
      'test/ai-proxy.test.ts',
    ],
    [
      "if (this.#isUnneeded()) throw new AiProxyError('aborted', 'The request is over')",
      '',
      'test/scheduling/run-in-turns.test.ts',
    ],
  ],
)
