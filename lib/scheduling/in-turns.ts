import { AiProxyError } from '../api/errors.js'
import type { Piecework } from '../util/piecework.js'
import type { TurnScheduler, TurnTaker } from './turns.js'

/**
 * Does long work in turns, one piece a turn, so that everything else goes on between them.
 *
 * @param isUnneeded asked before each piece: once it says so, the work is given up
 * @returns a promise of what the work returns; it rejects with what the work throws, and with `aborted` if it was given up
 */
export function inTurns<T>(
  work: Piecework<T>,
  turns: TurnScheduler,
  isUnneeded: () => boolean = () => false,
): Promise<T> {
  return new Promise((resolve, reject) => turns.enqueue(new Worker(work, turns, isUnneeded, resolve, reject)))
}

class Worker<T> implements TurnTaker {
  readonly #work: Piecework<T>
  readonly #turns: TurnScheduler
  readonly #isUnneeded: () => boolean
  readonly #resolve: (result: T) => void
  readonly #reject: (error: unknown) => void
  #isOver = false

  constructor(
    work: Piecework<T>,
    turns: TurnScheduler,
    isUnneeded: () => boolean,
    resolve: (result: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#work = work
    this.#turns = turns
    this.#isUnneeded = isUnneeded
    this.#resolve = resolve
    this.#reject = reject
  }

  takeTurn(): void {
    try {
      if (this.#isUnneeded()) throw new AiProxyError('aborted', 'The request is over')
      const { done, value } = this.#work.next()
      if (!done) return
      this.#isOver = true
      this.#resolve(value)
    } catch (error) {
      this.#isOver = true
      this.#reject(error)
    }
  }

  turnTook(): void {
    if (!this.#isOver) this.#turns.enqueue(this)
  }
}
