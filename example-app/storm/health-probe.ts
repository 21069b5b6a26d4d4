import { Agent, get } from 'node:http'

/** When a probe was sent, and how long its answer took, both in milliseconds. */
export type Probe = [sentAt: number, tookMs: number]

const EVERY_MS = 50

/**
 * Asks for `/health` every 50 ms, whether or not the previous answer has come. A probe that waits for its answer before
 * it asks again misses the latency of everybody who asks meanwhile (coordinated omission).
 */
export class HealthProbe {
  /** All answers so far. */
  readonly probes: Probe[] = []
  readonly #agent = new Agent({ keepAlive: true })
  readonly #timer: NodeJS.Timeout
  #waiting = 0

  constructor(url: string, now: () => number) {
    const ask = () => {
      const sentAt = now()
      this.#waiting++
      const done = () => {
        this.#waiting--
      }
      get(`${url}/health`, { agent: this.#agent }, (answer) => {
        answer.resume().on('end', () => {
          this.probes.push([sentAt, now() - sentAt])
          done()
        })
      }).on('error', done)
    }
    this.#timer = setInterval(ask, EVERY_MS)
    ask()
  }

  /** Sends no further probes. */
  stopAsking(): void {
    clearInterval(this.#timer)
  }

  /** Probes without an answer yet. */
  get waiting(): number {
    return this.#waiting
  }

  close(): void {
    this.stopAsking()
    this.#agent.destroy()
  }
}
