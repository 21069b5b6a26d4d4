import type { ResponseLimits } from './response-limits.js'

/** What is held back. */
interface Held {
  readonly isStopped: boolean
  /** The client has to read first: the timers of limits on silence are stopped already. */
  readonly isPaused: boolean
  /** Asks for a turn. */
  wake(): void
}

/** Holds an answer back while a policy waits for what it needs to decide whether the answer may continue. */
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

  /** Called before more goes out: a policy that has answered may allow no more, and one may have begun to wait in the last turn. */
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
