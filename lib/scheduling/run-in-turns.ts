import { AiProxyError } from '../api/errors.js'
import type { IncrementalTask } from '../util/incremental-task.js'
import type { Runnable, TurnScheduler } from './turns.js'

/**
 * Runs a long task in turns, one step a turn, so that everything else runs between the steps.
 *
 * @param isCancelled called before each step; the task is abandoned once it returns `true`
 * @returns a promise of the task's result; it rejects with what the task throws, and with `aborted` if it was abandoned
 */
export function runInTurns<T>(
  work: IncrementalTask<T>,
  turns: TurnScheduler,
  isCancelled: () => boolean = () => false,
): Promise<T> {
  return new Promise((resolve, reject) => turns.enqueue(new StepRunner(work, turns, isCancelled, resolve, reject)))
}

class StepRunner<T> implements Runnable {
  readonly #work: IncrementalTask<T>
  readonly #turns: TurnScheduler
  readonly #isUnneeded: () => boolean
  readonly #resolve: (result: T) => void
  readonly #reject: (error: unknown) => void
  #isDone = false

  constructor(
    work: IncrementalTask<T>,
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

  runTurn(): void {
    try {
      if (this.#isUnneeded()) throw new AiProxyError('aborted', 'The request is over')
      const { done, value } = this.#work.next()
      if (!done) return
      this.#isDone = true
      this.#resolve(value)
    } catch (error) {
      this.#isDone = true
      this.#reject(error)
    }
  }

  onTurnEnd(): void {
    if (!this.#isDone) this.#turns.enqueue(this)
  }
}
