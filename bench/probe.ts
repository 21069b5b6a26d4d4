/**
 * The health probe: requests `GET /health` from the proxy every few milliseconds on one connection, as a load balancer
 * does, and measures the time to the answer. It is a separate process that does nothing else, so that the load does not
 * delay it.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerWith } from './rpc'
import { median, percentile } from './stats'

const REQUEST = 'GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'

class Probe {
  readonly samplesMs: number[] = []
  private readonly socket: Socket
  /** When the pending request was sent; undefined if there is none. */
  private sentAt: number | undefined
  private answer = ''
  private timer: NodeJS.Timeout | undefined
  private stopped: (() => void) | undefined
  private error: Error | undefined

  /** With an interval of 0 it asks without a pause and keeps no samples. */
  constructor(
    port: number,
    private readonly intervalMs: number,
  ) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => this.ask())
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text: string) => this.read(text))
    this.socket.on('error', (error) => this.broke(error))
    this.socket.on('close', () => this.broke(new Error('the proxy closed the probe’s connection')))
  }

  /** Waits for the pending answer, which may be the slowest of all. */
  async stop(): Promise<void> {
    clearTimeout(this.timer)
    if (this.sentAt !== undefined && !this.error) {
      await new Promise<void>((resolve) => {
        this.stopped = resolve
      })
    }
    if (this.error) throw this.error
    this.socket.destroy()
  }

  private ask(): void {
    this.sentAt = performance.now()
    this.socket.write(REQUEST)
  }

  private read(text: string): void {
    this.answer += text
    if (!this.answer.endsWith('\r\n\r\nok')) return
    this.answer = ''
    this.answered()
  }

  private answered(): void {
    const now = performance.now()
    const nextAt = this.intervalMs === 0 ? now : this.keep(this.sentAt ?? now, now)
    this.sentAt = undefined
    if (this.stopped) this.stopped()
    else if (nextAt > now) this.timer = setTimeout(() => this.ask(), nextAt - now)
    else this.ask()
  }

  /**
   * A stall would count only once, because the next request is sent after this answer, although many clients would have
   * waited. So add a sample for each request that was due meanwhile, measured from when it was due. Returns the time at
   * which the next one is due.
   */
  private keep(sentAt: number, now: number): number {
    let dueAt = sentAt
    for (; dueAt < now; dueAt += this.intervalMs) this.samplesMs.push(now - dueAt)
    return dueAt
  }

  private broke(error: Error): void {
    this.error ??= error
    this.stopped?.()
  }
}

let probe: Probe | undefined

const api = {
  /** Asks without a pause, so that the code of `/health` is compiled as it would be after a day in production. */
  async warmUp({ port, forMs }: { port: number; forMs: number }) {
    const endless = new Probe(port, 0)
    await sleep(forMs)
    await endless.stop()
  },
  start({ port, intervalMs }: { port: number; intervalMs: number }): void {
    probe = new Probe(port, intervalMs)
  },
  /** Stops probing, and returns how long the answers took. */
  async stop(_: null) {
    await probe?.stop()
    const samples = probe?.samplesMs ?? []
    probe = undefined
    return {
      medianMs: median(samples),
      p99Ms: percentile(samples, 0.99),
      maxMs: percentile(samples, 1),
      count: samples.length,
    }
  },
}

export type ProbeApi = typeof api
answerWith(api)
