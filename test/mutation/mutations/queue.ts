import { mutationsOf } from '../mutation.js'

/** Who waits, for how long, and who is next. */
export const queue = mutationsOf(
  'queue',
  ['test/queue/queue-policy.test.ts', 'test/e2e/queue.test.ts', 'test/e2e/queue-hedging.test.ts'],
  [
    ['while (this.#running < this.#options.maxConcurrent)', 'while (this.#running <= this.#options.maxConcurrent)'],
    ['if (this.#waiting.length > maxWaiting)', 'if (this.#waiting.length >= maxWaiting)'],
    ['this.#running--\n', '\n'],
    ['entry.exchange.holdCapacity()', ''],
    ['return !exchange.isBoundByTargets || exchange.hasCapacity()', 'return true'],
    ['if (exchange.signal.aborted) leave()\n      else ', ''],
    ['this.#waiting.charge(entry.tenant, Math.max(0, total - entry.cost), entry.weight)', ''],
    ['line.deficit += QUANTUM * line.weight', 'line.deficit += QUANTUM', 'test/queue/fair-queue.test.ts'],
    ['if (this.#length === 0) this.#debts.clear()', '', 'test/queue/fair-queue.test.ts'],
    ['this.#owe(line.tenant, -line.deficit, line.weight)', '', 'test/queue/fair-queue.test.ts'],
    ['if (line.isVisited) return', '', 'test/queue/fair-queue.test.ts'],
    ['Math.max(0, Math.min(...lacking) - 1)', 'Math.max(0, Math.min(...lacking))', 'test/queue/fair-queue.test.ts'],
    ['(1000 * (this.#ends.length - 1)) / ms', '(1000 * this.#ends.length) / ms'],
  ],
)
