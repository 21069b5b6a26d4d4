import { formatError } from '../util/format-error.js'

/** Something that takes turns: a stream with data to pass on, a request that is to go out. */
export interface Runnable {
  /**
   * Does a bounded piece of work. It does not throw; if it does all the same, the others still get their turns, and a
   * process warning tells of it.
   *
   * @param now when the turn began, in monotonic milliseconds
   */
  runTurn(now: number): void
  /** Told after each turn how long it took, in milliseconds. */
  onTurnEnd(ms: number): void
  /** Work that a turn sets off behind it, where the scheduler cannot see it, in milliseconds; it counts as the turn's. */
  readonly extraCostMs?: number
  /** It always has more to do than one turn allows: it shares the smaller budget. Asked when it is queued. */
  readonly isBursting?: boolean
}

/** The scheduler's view of time; injected, so that tests can show the exact order of turns without sleeping. */
export interface TurnClock {
  /** Monotonic time in milliseconds. */
  now(): number
  /** Runs a function once the event loop has gone round: after the I/O that is ready and the timers that are due. */
  defer(run: () => void): void
}

const processClock: TurnClock = {
  now: () => performance.now(),
  defer: (run) => void setImmediate(run),
}

/** Takers that wait, first come first served. */
class TurnQueue {
  /** Slots are cleared as they run. Under load the queue may never drain, and would keep finished streams alive. */
  #slots: (Runnable | undefined)[] = []
  /** Index of the first who waits. */
  #next = 0

  get length(): number {
    return this.#slots.length - this.#next
  }

  push(taker: Runnable): void {
    this.#slots.push(taker)
  }

  shift(): Runnable | undefined {
    const taker = this.#slots[this.#next]
    if (!taker) return undefined
    this.#slots[this.#next++] = undefined
    if (this.#next === this.#slots.length) {
      this.#slots = []
      this.#next = 0
    } else if (this.#next > 1024) {
      this.#slots = this.#slots.slice(this.#next)
      this.#next = 0
    }
    return taker
  }
}

/**
 * What brief turns may take in one round, in milliseconds. A round of the event loop has a price (some 0.05 ms); with a
 * budget that lets one small request a round go out, a server of small answers is slower by a third. A brief turn ends by
 * itself, so more of them a round delay everybody else by little: see `small` and `drip-500` in `npm run bench`.
 */
const BRIEF_BUDGET_MS = 1

/** The budget of streams that burst follows everybody else's share of the loop up to this, in milliseconds. */
const MAX_BUDGET_MS = 2

/**
 * Gives out turns, first come first served. In one round of the event loop turns run until their budget is used; those who
 * still wait get theirs in the next round, and between the two everybody else's I/O and timers run. Each queued taker
 * gets one turn, then goes behind those who wait.
 *
 * There are two queues, each with a budget of its own. Brief turns come first: a request that goes out, an answer's first
 * bytes, an event now and then. Streams that burst, always with more to pass on, get `budgetMs`. On a loop that is busy
 * with something else, that would be next to nothing: they get as much as everybody else has just had, if that is more.
 */
export class TurnScheduler {
  /** The least that streams which burst may take in one round, in milliseconds. */
  budgetMs: number
  readonly #clock: TurnClock
  readonly #brief = new TurnQueue()
  readonly #bursting = new TurnQueue()
  #isDeferred = false
  /** When the wait for the deferred round began. */
  #deferredAt = 0
  /** What the brief turns of this round have used of their budget. */
  #briefMs = 0
  /** What ran since `#deferredAt` on behalf of turns: turns taken at once, and what turns have set off. */
  #ownMs = 0
  /** What bursting streams could take in the last round. */
  #allowedMs: number

  constructor(budgetMs: number, clock: TurnClock = processClock) {
    this.budgetMs = this.#allowedMs = budgetMs
    this.#clock = clock
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#brief.length + this.#bursting.length
  }

  get #briefBudgetMs(): number {
    return Math.max(BRIEF_BUDGET_MS, this.budgetMs)
  }

  /** Queues a taker for one turn. A taker that is queued already must not be queued again. */
  enqueue(taker: Runnable): void {
    const queue = taker.isBursting ? this.#bursting : this.#brief
    queue.push(taker)
    this.#deferRound()
  }

  /** Gives a taker a brief turn at once if nobody waits for one and this round's budget is not used; otherwise queues it. */
  runOrEnqueue(taker: Runnable): void {
    if (this.#brief.length > 0 || this.#briefMs >= this.#briefBudgetMs) return this.enqueue(taker)
    const before = this.#clock.now()
    // The next round has a budget of its own, even if there is nothing to do in it.
    this.#deferRound(before)
    taker.runTurn(before)
    const ms = this.#clock.now() - before
    this.#briefMs += this.#charged(taker, ms)
    this.#ownMs += ms
  }

  /** @returns what a turn uses of its budget */
  #charged(taker: Runnable, ms: number): number {
    taker.onTurnEnd(ms)
    const extraCostMs = taker.extraCostMs ?? 0
    this.#ownMs += extraCostMs
    return ms + extraCostMs
  }

  #deferRound(now?: number): void {
    if (this.#isDeferred) return
    this.#isDeferred = true
    this.#deferredAt = now ?? this.#clock.now()
    this.#clock.defer(this.#round)
  }

  readonly #round = (): void => {
    const began = this.#clock.now()
    const othersMs = began - this.#deferredAt - this.#ownMs
    this.#ownMs = 0
    // It at most doubles from round to round: one garbage collection is nobody's share.
    const followed = Math.min(othersMs, 2 * this.#allowedMs, MAX_BUDGET_MS)
    this.#allowedMs = Math.max(this.budgetMs, followed)
    const briefEnded = this.#run(this.#brief, this.#briefBudgetMs - this.#briefMs, began)
    const ended = this.#run(this.#bursting, this.#allowedMs, briefEnded)
    // This is the last phase of a round of the event loop: what comes now is the next.
    this.#briefMs = 0
    this.#isDeferred = false
    if (this.waiting > 0) this.#deferRound(ended)
  }

  /** Gives out turns until the budget is used, but one at least. @returns when the last one ended */
  #run(queue: TurnQueue, budgetMs: number, began: number): number {
    let before = began
    let spentMs = 0
    do {
      const taker = queue.shift()
      if (!taker) break
      const began = before
      try {
        taker.runTurn(began)
        before = this.#clock.now()
        spentMs += this.#charged(taker, before - began)
      } catch (error) {
        before = this.#clock.now()
        spentMs += before - began
        warnThrown(error)
      }
    } while (spentMs < budgetMs)
    return before
  }
}

/** A taker that throws is a fault of this package, which must neither end the process nor be lost. */
function warnThrown(error: unknown): void {
  process.emitWarning('A turn threw', {
    type: 'ExpressAiProxyWarning',
    code: 'AI_PROXY_TURN_THREW',
    detail: formatError(error),
  })
}

/** Much less costs throughput, much more costs everybody else's latency: `npm run bench` shows both. */
const defaultBudgetMs = 0.15

/** All streams of the process share one event loop, and so one scheduler. */
const shared = new TurnScheduler(defaultBudgetMs)
let smallestBudgetMs = Number.POSITIVE_INFINITY

/**
 * The scheduler of this process.
 *
 * @param budgetMs how long turns may run in one round of the event loop; of several wishes the smallest counts
 */
export function sharedTurns(budgetMs?: number): TurnScheduler {
  if (budgetMs !== undefined) shared.budgetMs = smallestBudgetMs = Math.min(smallestBudgetMs, budgetMs)
  return shared
}
