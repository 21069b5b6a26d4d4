import type { Admission, PolicyExchange } from '../../lib/api/policy.js'
import type { ExchangeRecord } from '../../lib/api/record.js'
import type { Capacity } from '../../lib/policies/capacity.js'
import { unlimited } from '../../lib/policies/capacity.js'
import { type QueueOptions, resolveQueueOptions } from '../../lib/queue/options.js'
import { type QueueClock, QueuePolicy } from '../../lib/queue/queue-policy.js'

/** A clock and an event loop that the test moves on. */
export class ManualQueueClock implements QueueClock {
  time = 0
  #timers: { readonly at: number; readonly call: () => void }[] = []
  #soon: (() => void)[] = []

  now(): number {
    return this.time
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.time + ms, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
    }
  }

  soon(call: () => void): void {
    this.#soon.push(call)
  }

  /** Number of timers that run. */
  get timers(): number {
    return this.#timers.length
  }

  /** Moves on, and calls what is due. */
  advance(ms: number): void {
    this.time += ms
    for (const timer of this.#timers.filter(({ at }) => at <= this.time)) {
      this.#timers = this.#timers.filter((each) => each !== timer)
      timer.call()
    }
  }

  /** Ends the turn of the event loop. */
  turn(): void {
    for (const call of this.#soon.splice(0)) call()
  }
}

/** What has become of an exchange that asked a queue. */
export type Fate = 'waits' | 'passed' | 'queue_full' | 'queue_timeout' | 'left'

let count = 0

/** An exchange that asks a queue. */
export class QueueingExchange {
  readonly id = `x${count++}`
  readonly subject: { readonly id: string; readonly tenant?: string }
  readonly requestBytes: number
  readonly maxOutputTokens: number
  readonly model = 'm'
  readonly generates = true
  isSettled = false
  fate: Fate = 'waits'
  retryAfter: string | undefined
  /** Called when it may go out. */
  onPass: () => unknown = () => {}
  readonly #leaving = new AbortController()
  capacity: Capacity = unlimited

  /**
   * @param subject or the id of one without a tenant
   * @param tokens what it may use: half of them for its request, half for the answer
   */
  constructor(subject: string | { readonly id: string; readonly tenant: string }, tokens: number) {
    this.subject = typeof subject === 'string' ? { id: subject } : subject
    this.requestBytes = 4 * Math.floor(tokens / 2)
    this.maxOutputTokens = Math.ceil(tokens / 2)
  }

  get signal(): AbortSignal {
    return this.#leaving.signal
  }

  get isBoundByTargets(): boolean {
    return this.capacity.isBounded
  }

  hasCapacity(): boolean {
    return this.capacity.has()
  }

  holdCapacity(): void {
    this.capacity.hold()
  }

  onCapacity(callback: () => void): () => void {
    return this.capacity.onMore(callback)
  }

  keepsWaiting(): void {}

  /** Asks, and takes note of the answer. */
  ask(queue: QueuePolicy): void {
    const admission = queue.admit(this as unknown as PolicyExchange)
    if (admission instanceof Promise) void admission.then((answer) => this.#take(answer, queue))
    else this.#take(admission, queue)
  }

  /** The client leaves while it waits. */
  leave(): void {
    this.isSettled = true
    this.#leaving.abort()
  }

  /** It ends. `tokens` is what it used, if that is known. */
  end(queue: QueuePolicy, tokens?: number): void {
    this.isSettled = true
    this.capacity.release()
    const used = tokens === undefined ? undefined : { total: tokens, visibleOutput: 0, reasoning: 0 }
    queue.settle({ id: this.id, model: this.model, outcome: 'completed', tokens: used } as unknown as ExchangeRecord)
  }

  #take(admission: Admission, queue: QueuePolicy): void {
    if (this.isSettled) {
      this.fate = 'left'
      return this.end(queue)
    }
    if (admission && 'refuse' in admission) {
      this.fate = admission.refuse.code as Fate
      this.retryAfter = admission.refuse.headers?.['retry-after']
      return this.end(queue)
    }
    this.fate = 'passed'
    this.onPass()
  }
}

/** A queue whose clock the test moves on. */
export function manualQueue(options?: QueueOptions): { clock: ManualQueueClock; queue: QueuePolicy } {
  const clock = new ManualQueueClock()
  return { clock, queue: new QueuePolicy(resolveQueueOptions(options), clock) }
}

/** Lets everything happen that promises have announced. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 5; n++) await undefined
}
