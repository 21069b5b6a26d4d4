import type { ResponseLimits } from './response-limits.js'

/** What is held back. */
interface Held {
  readonly isStopped: boolean
  /** The client has to read first: limits on silence stand still already. */
  readonly isPaused: boolean
  /** Asks for a turn. */
  wake(): void
}

/** Holds an answer back while a policy waits for something, without which it cannot say whether the answer may go on. */
export class PolicyHold {
  /** A policy has to answer first. */
  isOn = false
  readonly #limits: ResponseLimits
  readonly #answer: Held
  #isReleased = false

  constructor(limits: ResponseLimits, answer: Held) {
    this.#limits = limits
    this.#answer = answer
  }

  /** Begins if a policy waits. */
  begin(): void {
    const { isStopped, isPaused } = this.#answer
    if (this.isOn || isStopped || !this.#limits.isHeld) return
    this.isOn = true
    if (!isPaused) this.#limits.pause()
    this.#limits.onRelease(() => this.#release())
  }

  /** Before more goes out: if a policy has answered, what went out may be all that was left; and one may wait since the last turn. */
  checkAgain(): void {
    if (this.#isReleased) {
      this.#isReleased = false
      this.#limits.checkBounds()
    }
    this.begin()
  }

  #release(): void {
    this.isOn = false
    const { isStopped, isPaused } = this.#answer
    if (isStopped) return
    this.#isReleased = true
    if (!isPaused) this.#limits.resume()
    this.#answer.wake()
  }
}
