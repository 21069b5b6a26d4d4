import { Agent, get } from 'node:http'

/** When a probe was sent, and how long its answer took, in milliseconds. */
export type Probe = [sentAt: number, tookMs: number]

const EVERY_MS = 50

/**
 * Asks for `/health` every 50 ms, whether the answer before has come or not: who waits for one answer before asking
 * again never notices what the others who ask meanwhile have to wait.
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

  /** No further question. */
  stopAsking(): void {
    clearInterval(this.#timer)
  }

  /** Questions without an answer yet. */
  get waiting(): number {
    return this.#waiting
  }

  close(): void {
    this.stopAsking()
    this.#agent.destroy()
  }
}
