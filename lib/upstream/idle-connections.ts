import { AsyncResource } from 'node:async_hooks'
import type { Agent, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

// Load balancers usually close idle connections after 60 s. If we close ours earlier, few requests meet a closed one.
const MAX_IDLE_MS = 30_000

/** How long before the provider closes an idle connection it is closed here. */
const EARLY_MS = 1000

/** How often the pool is looked through at most. */
const MIN_SWEEP_MS = 1000

/** When an idle connection is to be closed, in monotonic milliseconds. */
const DUE = Symbol('due')

interface IdleSocket extends Socket {
  [DUE]?: number
}

/**
 * Closes connections of an agent's pool that have been idle for too long. One timer serves all of them: Node's own, one for
 * each connection, would be set and cleared with each request.
 */
export class IdleConnections {
  readonly #agent: Pick<Agent, 'freeSockets'>
  /** Of no request: what an app keeps for one must not live as long as there are others. */
  readonly #asyncContext = new AsyncResource('AiProxyIdleConnections')
  #timer: NodeJS.Timeout | undefined
  #sweepAt = Number.POSITIVE_INFINITY

  constructor(agent: Pick<Agent, 'freeSockets'>) {
    this.#agent = agent
  }

  /** Notes that a connection is idle from now on. @param response the last one that came on it */
  add(socket: Socket, response: IncomingMessage | undefined): void {
    const now = performance.now()
    const due = now + idleMs(response?.headers['keep-alive'])
    ;(socket as IdleSocket)[DUE] = due
    const ms = Math.max(due - now, MIN_SWEEP_MS)
    if (due < this.#sweepAt) this.#asyncContext.runInAsyncScope(this.#sweepIn, this, ms, now)
  }

  #sweepIn(ms: number, now: number): void {
    clearTimeout(this.#timer)
    this.#sweepAt = now + ms
    this.#timer = setTimeout(this.#sweep, ms)
    this.#timer.unref()
  }

  readonly #sweep = (): void => {
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const socket of Object.values(this.#agent.freeSockets).flat() as IdleSocket[]) {
      const due = socket[DUE] ?? now
      if (due <= now) socket.destroy()
      else next = Math.min(next, due)
    }
    this.#sweepAt = Number.POSITIVE_INFINITY
    if (next < Number.POSITIVE_INFINITY) this.#sweepIn(Math.max(next - now, MIN_SWEEP_MS), now)
  }
}

/** Returns how long a connection may be idle. @param hint `timeout=5`: after how many seconds the provider closes it */
function idleMs(hint: unknown): number {
  const seconds = typeof hint === 'string' ? /^timeout=(\d+)/.exec(hint)?.[1] : undefined
  return seconds === undefined ? MAX_IDLE_MS : Math.min(MAX_IDLE_MS, Number(seconds) * 1000 - EARLY_MS)
}
