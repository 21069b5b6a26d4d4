import type { Admission, Policy, PolicyExchange, Refusal } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { AssumedOutput } from '../policies/assumed-output.js'
import { shownResult } from '../util/shown.js'
import { nameInTenantKey } from '../util/tenant-key.js'
import { DrainRate } from './drain-rate.js'
import { FairQueue } from './fair-queue.js'
import { type QueueOptions, type ResolvedQueueOptions, resolveQueueOptions } from './options.js'

/** A queue's state. */
export interface QueueStats {
  /** Exchanges that it has let pass and that have not ended. */
  readonly running: number
  /** Exchanges that wait. */
  readonly waiting: number
  /** How many wait by tenant. */
  readonly byTenant: ReadonlyMap<string, number>
  /** How long the one has waited that has waited longest, in milliseconds; 0 if none waits. */
  readonly longestWaitMs: number
  /** Exchanges that it has refused since it was made. */
  readonly refused: {
    /** Because too many waited. */
    readonly full: number
    /** Because they had waited too long. */
    readonly timeout: number
  }
}

/** A policy in which exchanges wait instead of being refused. */
export interface Queue extends Policy {
  /** Returns its state. */
  stats(): QueueStats
}

/** What the queue needs from the process. */
export interface QueueClock {
  /** Monotonic, in milliseconds. */
  now(): number
  /** @returns a function that stops the timer */
  after(ms: number, call: () => void): () => void
  /** Calls after what happens now. */
  soon(call: () => void): void
}

const processClock: QueueClock = {
  now: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
  soon: (call) => void setImmediate(call),
}

/** Bytes of a request per token: for shares, not for money. */
const BYTES_PER_TOKEN = 4
const NOBODY = { id: '' }
const MIN_WEIGHT = 0.001
const MAX_WEIGHT = 1000

/**
 * Creates a policy in which exchanges wait for their turn instead of being refused: fairly among tenants, first come first
 * served within one.
 *
 * @throws TypeError if an option is wrong
 */
export function queue(options?: QueueOptions): Queue {
  return new QueuePolicy(resolveQueueOptions(options))
}

/** An exchange that waits, or has been let pass. */
interface Entry {
  readonly exchange: PolicyExchange
  /** The tenant's key. */
  readonly tenant: string
  readonly weight: number
  readonly cost: number
  readonly since: number
  /** Ends its wait; `undefined` if it never had to wait. */
  decide: ((admission: Admission) => void) | undefined
  isRunning: boolean
}

/** The queue, with a clock of its own in tests. */
export class QueuePolicy implements Queue {
  readonly name = 'queue'
  readonly #options: ResolvedQueueOptions
  readonly #clock: QueueClock
  readonly #waiting = new FairQueue<Entry>()
  readonly #entries = new Map<string, Entry>()
  readonly #rate = new DrainRate()
  readonly #expected = new AssumedOutput()
  #running = 0
  #isNotified = false
  #full = 0
  #timeout = 0

  constructor(options: ResolvedQueueOptions, clock: QueueClock = processClock) {
    this.#options = options
    this.#clock = clock
  }

  admit(exchange: PolicyExchange): Admission | Promise<Admission> {
    const { tenantKey, weight, maxWaiting, maxWaitMs } = this.#options
    const tenant = tenantKey(exchange.subject ?? NOBODY, exchange)
    const { requestBytes, maxOutputTokens = Number.POSITIVE_INFINITY, model } = exchange
    const output = Math.min(maxOutputTokens, this.#expected.of(tenant, model))
    const cost = Math.ceil(requestBytes / BYTES_PER_TOKEN) + output
    const entry: Entry = {
      exchange,
      tenant,
      weight: checkedWeight(weight(nameInTenantKey(tenant), exchange)),
      cost: exchange.generates ? cost : 1,
      since: this.#clock.now(),
      decide: undefined,
      isRunning: false,
    }
    this.#waiting.push(tenant, entry, entry.cost, entry.weight)
    this.#letPass()
    if (entry.isRunning) return undefined
    if (this.#waiting.length > maxWaiting) {
      const surplus = this.#waiting.surplus(tenant) ?? entry
      const refused = this.#refuseSurplus(surplus)
      if (surplus === entry) return refused
      surplus.decide?.(refused)
    }
    this.#entries.set(exchange.id, entry)
    exchange.keepsWaiting()
    return this.#wait(entry, maxWaitMs)
  }

  #refuseSurplus(entry: Entry): Admission {
    this.#remove(entry)
    this.#full++
    const message = `Too many requests are waiting (${this.#options.maxWaiting})`
    return { refuse: this.#refusal('queue_full', message) }
  }

  #wait(entry: Entry, maxWaitMs: number | false): Promise<Admission> {
    const { exchange } = entry
    return new Promise<Admission>((resolve) => {
      const leave = () => {
        if (this.#remove(entry)) decide(undefined)
      }
      const refuse = () => {
        if (!this.#remove(entry)) return
        this.#timeout++
        decide({ refuse: this.#refusal('queue_timeout', `The request has waited too long (${maxWaitMs} ms)`) })
      }
      const stopTimer = maxWaitMs === false ? () => {} : this.#clock.after(maxWaitMs, refuse)
      const stopListening = exchange.onCapacity(() => this.#onRoom())
      const decide = (admission: Admission) => {
        stopTimer()
        stopListening()
        exchange.signal.removeEventListener('abort', leave)
        resolve(admission)
      }
      entry.decide = decide
      if (exchange.signal.aborted) leave()
      else exchange.signal.addEventListener('abort', leave)
    })
  }

  settle(record: ExchangeRecord): void {
    const entry = this.#entries.get(record.id)
    if (!entry) return
    this.#entries.delete(record.id)
    if (!entry.isRunning) {
      this.#remove(entry)
      return
    }
    this.#running--
    this.#rate.add(this.#clock.now())
    if (record.tokens) {
      const { total, visibleOutput, reasoning } = record.tokens
      this.#waiting.charge(entry.tenant, Math.max(0, total - entry.cost), entry.weight)
      if (record.outcome === 'completed') this.#expected.add(entry.tenant, record.model, visibleOutput + reasoning)
    }
    this.#letPass()
  }

  stats(): QueueStats {
    const now = this.#clock.now()
    const waits = [...this.#entries.values()].filter((entry) => !entry.isRunning).map((entry) => now - entry.since)
    return {
      running: this.#running,
      waiting: this.#waiting.length,
      byTenant: byName(this.#waiting.byTenant()),
      longestWaitMs: Math.max(0, ...waits),
      refused: { full: this.#full, timeout: this.#timeout },
    }
  }

  figures(): Record<string, number> {
    const { running, waiting, longestWaitMs, refused } = this.stats()
    return {
      running,
      waiting,
      longest_wait_ms: longestWaitMs,
      refused_full: refused.full,
      refused_timeout: refused.timeout,
    }
  }

  /** Lets pass what has room. */
  #letPass(): void {
    while (this.#running < this.#options.maxConcurrent) {
      const entry = this.#waiting.shift(({ exchange }) => this.#hasRoom(exchange))
      if (!entry) break
      this.#running++
      entry.isRunning = true
      this.#entries.set(entry.exchange.id, entry)
      entry.exchange.holdCapacity()
      entry.decide?.(undefined)
    }
    this.#measure()
  }

  /** Takes an exchange out that waits. @returns whether it did */
  #remove(entry: Entry): boolean {
    const isOut = this.#waiting.remove(entry.tenant, entry)
    this.#measure()
    return isOut
  }

  #measure(): void {
    const isBusy = this.#waiting.length > 0 || this.#running >= this.#options.maxConcurrent
    this.#rate.setBusy(isBusy, this.#clock.now())
  }

  #hasRoom(exchange: PolicyExchange): boolean {
    return !exchange.isBoundByTargets || exchange.hasCapacity()
  }

  /** All that wait are notified of the same room at once. */
  #onRoom(): void {
    if (this.#isNotified) return
    this.#isNotified = true
    this.#clock.soon(() => {
      this.#isNotified = false
      this.#letPass()
    })
  }

  #refusal(code: 'queue_full' | 'queue_timeout', message: string): Refusal {
    const seconds = this.#rate.secondsFor(this.#waiting.length + 1, this.#clock.now())
    return { code, message, headers: { 'retry-after': String(seconds) } }
  }
}

/** A subject without a tenant may have the name of one: what waits for both is then one figure. */
function byName(byTenant: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const waiting = new Map<string, number>()
  for (const [key, count] of byTenant) {
    const name = nameInTenantKey(key)
    waiting.set(name, (waiting.get(name) ?? 0) + count)
  }
  return waiting
}

function checkedWeight(weight: unknown): number {
  if (typeof weight === 'number' && weight >= MIN_WEIGHT && weight <= MAX_WEIGHT) return weight
  throw new TypeError(`queue: weight returns a number from 0.001 to 1000; got ${shownResult(weight)}`)
}
