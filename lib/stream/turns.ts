/** Something that takes turns: a stream with data to pass on, a request that is to go out. */
export interface TurnTaker {
  /**
   * Does a bounded piece of work. It does not throw.
   *
   * @param now when the turn began, in monotonic milliseconds
   */
  takeTurn(now: number): void
  /** Told after each turn how long it took, in milliseconds. */
  turnTook(ms: number): void
  /** Work that a turn sets off behind it, where the scheduler cannot see it, in milliseconds; it counts as the turn's. */
  readonly setsOffMs?: number
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

/**
 * Gives out turns, first come first served. In one round of the event loop turns run until the budget is used; those who
 * still wait get theirs in the next round, and between the two everybody else's I/O and timers run. Each queued taker
 * gets one turn, then goes behind those who wait.
 */
export class TurnScheduler {
  budgetMs: number
  readonly #clock: TurnClock
  /** Who has had its turn is not held any more: under load it may take long until nobody waits. */
  #queue: (TurnTaker | undefined)[] = []
  /** Index of the first who waits; takers before it have had their turn. */
  #next = 0
  #isDeferred = false
  /** What the turns of this round have taken. */
  #spentMs = 0

  constructor(budgetMs: number, clock: TurnClock = processClock) {
    this.budgetMs = budgetMs
    this.#clock = clock
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#queue.length - this.#next
  }

  /** Queues a taker for one turn. Who is queued already must not be queued again. */
  enqueue(taker: TurnTaker): void {
    this.#queue.push(taker)
    this.#deferRound()
  }

  /** Gives a taker its turn at once where nobody waits and this round's budget is not used; otherwise queues it. */
  takeOrEnqueue(taker: TurnTaker): void {
    if (this.waiting > 0 || this.#spentMs >= this.budgetMs) return this.enqueue(taker)
    const before = this.#clock.now()
    taker.takeTurn(before)
    this.#charge(taker, this.#clock.now() - before)
    // The next round starts anew, also where there is nothing to do in it.
    this.#deferRound()
  }

  #charge(taker: TurnTaker, ms: number): void {
    taker.turnTook(ms)
    this.#spentMs += ms + (taker.setsOffMs ?? 0)
  }

  #deferRound(): void {
    if (this.#isDeferred) return
    this.#isDeferred = true
    this.#clock.defer(this.#round)
  }

  readonly #round = (): void => {
    this.#isDeferred = false
    let before = this.#clock.now()
    while (this.#next < this.#queue.length) {
      const taker = this.#queue[this.#next]!
      this.#queue[this.#next++] = undefined
      taker.takeTurn(before)
      const after = this.#clock.now()
      this.#charge(taker, after - before)
      before = after
      if (this.#spentMs >= this.budgetMs) break
    }
    // This is the last phase of a round of the event loop: what comes now is the next.
    this.#spentMs = 0
    if (this.#next === this.#queue.length) {
      this.#queue = []
      this.#next = 0
    } else {
      if (this.#next > 1024) {
        this.#queue = this.#queue.slice(this.#next)
        this.#next = 0
      }
      this.#deferRound()
    }
  }
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
