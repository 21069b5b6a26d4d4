import type { AsyncResource } from 'node:async_hooks'
import { defaults } from '../options/defaults.js'
import { formatError } from '../util/format-error.js'
import { warn } from '../util/warn.js'
import { TurnQueue } from './turn-queue.js'

/** Something that runs in turns: a stream with data to pass on, or a request that is waiting to go out. */
export interface Runnable {
  /**
   * Does a bounded piece of work. It should not throw; if it does, the others still get their turns, and a process
   * warning reports the error.
   *
   * @param now when the turn began, in monotonic milliseconds
   */
  runTurn(now: number): void
  /** Called after each turn with its duration in milliseconds. */
  onTurnEnd(ms: number): void
  /**
   * Cost in milliseconds of work that a turn causes later, where the scheduler cannot see it. It counts as the turn's.
   */
  readonly extraCostMs?: number
  /** It always has more to do than one turn allows, and shares the smaller budget. Read when it is queued. */
  readonly isBursting?: boolean
  /** Whose turn it uses: tenants take turns, however many streams each of them has. Read when it is queued. */
  readonly tenant?: string | undefined
  /** The asynchronous context that its turns run in. Default: that of whatever began the round, which may be another's. */
  readonly asyncContext?: AsyncResource | undefined
}

/** The scheduler's clock. Tests inject one to show the exact order of turns without sleeping. */
export interface TurnClock {
  /** Monotonic time in milliseconds. */
  now(): number
  /** Runs a function after the event loop has gone round: after pending I/O and the timers that are due. */
  defer(run: () => void): void
}

const processClock: TurnClock = {
  now: () => performance.now(),
  defer: (run) => void setImmediate(run),
}

/** What brief turns and requests that have just arrived may use of one round of the event loop. */
interface Share {
  /**
   * Budget of brief turns, in milliseconds. A round costs some 0.05 ms: if the budget let only one small request out per
   * round, a server of small answers would be a third slower. A brief turn ends by itself, so more of them per round
   * delay everything else only a little: see `small` and `drip-500` in `npm run bench`.
   */
  readonly briefMs: number
  /**
   * How many requests begin. Most of what a request costs comes after its turn, in microtasks, where it cannot be timed.
   */
  readonly arrivals: number
}

/** With more, events of other streams are late: see `chat-20` in `npm run bench`. */
const BESIDE_BURSTS: Share = { briefMs: 1, arrivals: 3 }

/** With less, small answers are slower: see `small` in `npm run bench`. With more, they are not faster. */
const WITHOUT_BURSTS: Share = { briefMs: 2, arrivals: 8 }

/** The budget of bursting streams follows everything else's share of the loop up to this, in milliseconds. */
const MAX_BUDGET_MS = 2

/**
 * Gives out turns: to the tenants in rotation, and first come first served within one. In each round of the event loop,
 * turns run until their budget is used up. The others get theirs in the next round, and all other I/O and timers run in
 * between. A queued runnable gets one turn, then has to queue again.
 *
 * There are three queues, each with what it may use of a round. Brief turns come first: a request that goes out, an
 * answer's first bytes, an event now and then. Then a few of the requests that have just arrived: if many come at once,
 * all of them together would hold up the streams under way. Both get less while there are bursting streams, which always
 * have more to pass on. These get `budgetMs`. If the loop is busy with something else, that would be next to nothing: they
 * then get as much time as everything else has just had.
 */
export class TurnScheduler {
  /** Minimum time for bursting streams in one round, in milliseconds. */
  budgetMs: number
  readonly #clock: TurnClock
  readonly #brief = new TurnQueue<Runnable>()
  readonly #arrived = new TurnQueue<Runnable>()
  readonly #bursting = new TurnQueue<Runnable>()
  #isDeferred = false
  /** When the wait for the deferred round began. */
  #deferredAt = 0
  /** Part of the budget that this round's brief turns have used. */
  #briefMs = 0
  /** Requests that this round has begun. */
  #begun = 0
  /** The last round gave turns to bursting streams. */
  #hadBursts = false
  /**
   * Time since `#deferredAt` spent on behalf of turns: turns that ran at once, and the work that turns caused later.
   */
  #ownMs = 0
  /** Time that bursting streams were allowed in the last round. */
  #allowedMs: number

  constructor(budgetMs: number, clock: TurnClock = processClock) {
    this.budgetMs = this.#allowedMs = budgetMs
    this.#clock = clock
  }

  /** Number of runnables that are waiting. */
  get waiting(): number {
    return this.#brief.length + this.#arrived.length + this.#bursting.length
  }

  get #share(): Share {
    return this.#hadBursts || this.#bursting.length > 0 ? BESIDE_BURSTS : WITHOUT_BURSTS
  }

  get #briefBudgetMs(): number {
    return Math.max(this.#share.briefMs, this.budgetMs)
  }

  /** Queues a runnable for one turn. It must not be queued already. */
  enqueue(taker: Runnable): void {
    const queue = taker.isBursting ? this.#bursting : this.#brief
    queue.push(taker)
    this.#deferRound()
  }

  /**
   * Runs a brief turn at once if nothing is waiting for one and this round's budget is not used up; otherwise queues
   * it.
   */
  runOrEnqueue(taker: Runnable): void {
    if (this.#brief.length > 0 || this.#briefMs >= this.#briefBudgetMs) return this.enqueue(taker)
    this.#briefMs += this.#runNow(taker)
  }

  /** Begins a request that has just arrived: at once if none waits for that and this round may begin another. */
  arrive(taker: Runnable): void {
    if (this.#arrived.length === 0 && this.#begun < this.#share.arrivals) {
      this.#begun++
      this.#runNow(taker)
    } else {
      this.#arrived.push(taker)
      this.#deferRound()
    }
  }

  /** @returns how much of its budget the turn uses */
  #runNow(taker: Runnable): number {
    const before = this.#clock.now()
    // The next round has its own budget, even if there is nothing to do in it.
    this.#deferRound(before)
    runTurn(taker, before)
    const ms = this.#clock.now() - before
    this.#ownMs += ms
    return this.#charged(taker, ms)
  }

  /** @returns how much of its budget a turn uses */
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
    // It at most doubles from round to round, so that one garbage collection does not count as other work's share.
    const followed = Math.min(othersMs, 2 * this.#allowedMs, MAX_BUDGET_MS)
    this.#allowedMs = Math.max(this.budgetMs, followed)
    const briefEnded = this.#run(this.#brief, this.#briefBudgetMs - this.#briefMs, began)
    const begun = this.#run(this.#arrived, Number.POSITIVE_INFINITY, briefEnded, this.#share.arrivals - this.#begun)
    this.#hadBursts = this.#bursting.length > 0
    const ended = this.#run(this.#bursting, this.#allowedMs, begun)
    // This is the last phase of a round of the event loop: what follows belongs to the next.
    this.#briefMs = this.#begun = 0
    this.#isDeferred = false
    if (this.waiting > 0) this.#deferRound(ended)
  }

  /** Runs turns until the budget is used up, but at least one, and at most `most`. @returns when the last one ended */
  #run(queue: TurnQueue<Runnable>, budgetMs: number, began: number, most = Number.POSITIVE_INFINITY): number {
    let before = began
    let spentMs = 0
    for (let count = 0; count < most; count++) {
      const taker = queue.shift()
      if (!taker) break
      const began = before
      try {
        runTurn(taker, began)
        before = this.#clock.now()
        spentMs += this.#charged(taker, before - began)
      } catch (error) {
        before = this.#clock.now()
        spentMs += before - began
        warnThrown(error)
      }
      if (spentMs >= budgetMs) break
    }
    return before
  }
}

function runTurn(taker: Runnable, now: number): void {
  const { asyncContext } = taker
  if (asyncContext) asyncContext.runInAsyncScope(taker.runTurn, taker, now)
  else taker.runTurn(now)
}

/**
 * Warns of a runnable that threw. That is a bug in this package, which must neither end the process nor go unnoticed.
 */
function warnThrown(error: unknown): void {
  warn('AI_PROXY_TURN_THREW', 'A turn threw', formatError(error))
}

/** All streams of the process share one event loop, and therefore one scheduler. */
const shared = new TurnScheduler(defaults.turns.budgetMs)
let smallestBudgetMs = Number.POSITIVE_INFINITY

/**
 * Returns the scheduler of this process.
 *
 * @param budgetMs how long turns may run in one round of the event loop; of several values the smallest counts
 */
export function sharedTurns(budgetMs?: number): TurnScheduler {
  if (budgetMs !== undefined) shared.budgetMs = smallestBudgetMs = Math.min(smallestBudgetMs, budgetMs)
  return shared
}
