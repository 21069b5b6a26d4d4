import { mutationsOf } from '../mutation.js'

/** Which target is asked, what follows from a failure, and for how long a target is left alone. */
export const routing = [
  ...mutationsOf(
    'routing',
    ['test/routing/cooling.test.ts'],
    [
      ['if (until <= this.#until) return', ''],
      ['if (this.#clock.now() < this.#stepUntil) return', ''],
      ['Math.min(FIRST_STEP_MS * 2 ** this.#steps++, MAX_STEP_MS)', 'FIRST_STEP_MS * 2 ** this.#steps++'],
      ['this.#window.add(false)\n    this.#steps = 0', 'this.#window.add(false)'],
      ['Math.min(failure.retryAfterMs, MAX_RETRY_AFTER_MS)', 'failure.retryAfterMs'],
      ['total >= MIN_RESULTS && sum(this.#failed) > total / 2', 'sum(this.#failed) > total / 2'],
      ['sum(this.#failed) > total / 2', 'sum(this.#failed) >= total / 2'],
      ['Math.max(this.#second, second - SLOTS) + 1', 'Math.max(this.#second, second - SLOTS) + 2'],
      ['this.#total[at % SLOTS] = 0', ''],
      ['this.#failed[at % SLOTS] = 0', ''],
    ],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/next-step.test.ts'],
    [
      ['!policy.on.includes(reason) || policy.attemptsLeft < 1', '!policy.on.includes(reason)'],
      ['policy.elapsedMs + ms <= policy.withinMs', 'policy.elapsedMs <= policy.withinMs'],
      ['return next !== undefined && fits(0) ?', 'return next !== undefined ?'],
      ["if (sameTargetTries > 0 || verdict.sameTarget === 'no')", "if (verdict.sameTarget === 'no')"],
      ['fits(waitMs) && (policy.attemptsLeft > 1 || next === undefined)', 'fits(waitMs)'],
      ['if (retryAfterMs !== undefined && retryAfterMs > longestMs) return undefined', ''],
    ],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/failure.test.ts'],
    [["cooling: cooling === 'credentials' ? 'by-rate' : cooling", 'cooling']],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/router.test.ts'],
    [
      ['return !this.isFull && !this.cooling.isCooling', 'return !this.cooling.isCooling'],
      ["verdict.reason !== undefined && failure.kind !== 'unprepared'", 'verdict.reason !== undefined'],
      [
        'eligible.find((each) => each.name === holder && !each.isFull)',
        'eligible.find((each) => each.name === holder)',
      ],
      ['.sort(([a], [b]) => a - b)', ''],
      ['if (ignoreRejection(answer)) throw', "if (typeof answer === 'symbol') throw"],
      ['if (order.includes(target)) throw', 'if (order.length > 99) throw'],
      ['byPriority(eligible)[0]!)[0]?.name', 'eligible)[0]?.name'],
      ['const kept = this.#balancer.isFilter ?', 'const kept = stickyKey === request.model ?'],
    ],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/balance.test.ts'],
    [
      ['if (this.#sets.size >= MAX_SETS) this.#sets.clear()', ''],
      ['credits[first]! -= total', 'credits[first] = 0'],
      ['(a.firstTokenMs ?? -1) - (b.firstTokenMs ?? -1)', '(a.firstTokenMs ?? 1e9) - (b.firstTokenMs ?? 1e9)'],
      ['this.#weight = this.#weight * decay + 1', 'this.#weight = this.#weight + 1'],
    ],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/sticky.test.ts'],
    [
      ['return -weight / Math.log(u)', 'return weight * u'],
      ['if (this.#entries.size <= this.#max && expiresAt > this.#clock.now()) return', 'return'],
      ['entry.expiresAt > this.#clock.now() ? entry.value : undefined', 'entry.value'],
      ['inFlight + 1 > Math.ceil(', 'inFlight > Math.ceil('],
      ['this.#moved.set(key, isFirstChoice ? undefined : name)', 'this.#moved.set(key, name)'],
    ],
  ),
  ...mutationsOf(
    'routing',
    ['test/routing/retry-after.test.ts'],
    [
      ['Math.max(0, date - now)', 'date - now'],
      ['if (new Date(midnight).getUTCMonth() !== monthIndex) return undefined', ''],
      ['return value <= Number.MAX_VALUE / 1000 ? value : undefined', 'return value'],
    ],
  ),
]
