import type { Environment } from '../../lib/client/environment.js'

/** An environment in which no time passes: what would wait is listed, and goes on at once or when the test says so. */
export class ManualEnvironment implements Environment {
  time = 0
  /** What `random()` returns. */
  chance = 0.5
  offline = false
  /** The waits so far, in milliseconds. */
  readonly slept: number[] = []
  /** Whether waits end at once. */
  passes = true
  #wake: (() => void)[] = []
  #listeners: (() => void)[] = []
  #asleep: () => void = () => {}
  /** Settles when something waits that the test has to end. */
  readonly asleep = new Promise<void>((resolve) => {
    this.#asleep = resolve
  })

  now(): number {
    return this.time
  }

  random(): number {
    return this.chance
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.slept.push(ms)
    if (this.passes) return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve()
    return this.#until(this.#wake, signal)
  }

  isOffline(): boolean {
    return this.offline
  }

  untilOnline(signal: AbortSignal): Promise<void> {
    return this.#until(this.#listeners, signal)
  }

  /** How many wait for the network. */
  get waitingForNetwork(): number {
    return this.#listeners.length
  }

  goOnline(): void {
    this.offline = false
    for (const listener of this.#listeners.splice(0)) listener()
  }

  wake(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #until(list: (() => void)[], signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      list.push(resolve)
      this.#asleep()
    })
  }
}
