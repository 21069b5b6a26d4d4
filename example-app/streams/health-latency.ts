import { Agent, get } from 'node:http'

/** How long an answer of `/health` took, in milliseconds. */
export interface HealthSample {
  /** When it came, in milliseconds since the epoch. */
  at: number
  tookMs: number
}

const EVERY_MS = 1000

/**
 * Asks the app for `/health` once a second, over a connection of its own. A browser shares six connections among all
 * tabs, so a page that measured this itself would also measure how busy they are.
 */
export class HealthLatency {
  /** The samples of the last minutes, oldest first. */
  readonly history: HealthSample[] = []
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #keep: number
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** @param keep how many samples to keep */
  constructor(keep: number) {
    this.#keep = keep
  }

  /** Begins to ask the app at `url`; does nothing if it has begun already. */
  start(url: string): void {
    if (this.#timer || this.#isClosed) return
    this.#timer = setInterval(() => this.#ask(url), EVERY_MS).unref()
    this.#ask(url)
  }

  #ask(url: string): void {
    const sentAt = performance.now()
    get(`${url}/health`, { agent: this.#agent }, (answer) => {
      answer.resume().on('end', () => {
        this.history.push({ at: Date.now(), tookMs: performance.now() - sentAt })
        this.history.splice(0, this.history.length - this.#keep)
      })
    }).on('error', () => {}) // the app is closing
  }

  /** Stops asking. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#agent.destroy()
  }
}
