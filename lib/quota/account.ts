import { randomUUID } from 'node:crypto'
import { inTime } from '../util/in-time.js'
import { rejectUnknownOptions } from '../util/option-errors.js'
import { isThenable } from '../util/promises.js'
import type { CalendarCache } from './calendar.js'
import type { LimitStatus } from './headers.js'
import { statusOf } from './quota-run.js'
import { bucketNamed, COST_UNITS, type LimitBucket, MAX_AMOUNT } from './rules.js'
import type { BucketState, Charge, KeyState, QuotaStore } from './store.js'
import { windowsAt } from './usage.js'

/** What a key may use beyond its limits, in its current windows. */
export interface QuotaAddition {
  /** Requests. */
  readonly requests?: number
  /** Tokens. */
  readonly tokens?: number
  /** Money. */
  readonly cost?: number
}

/** What operators and account pages do with a store. Rejects if it fails, or does not answer in time. */
export class QuotaAccount {
  readonly #store: QuotaStore
  readonly #calendar: CalendarCache
  readonly #timeoutMs: number

  constructor(store: QuotaStore, calendar: CalendarCache, timeoutMs: number) {
    this.#store = store
    this.#calendar = calendar
    this.#timeoutMs = timeoutMs
  }

  async status(key: string, tenant = key): Promise<readonly LimitStatus[]> {
    const now = Date.now()
    const states = await this.#inTime(this.#store.read(key, tenant))
    return states.flatMap((state) => {
      const bucket = bucketNamed(key, state.name, state.allowed, now, this.#calendar)
      return bucket ? [statusOf(bucket, currentState(state, bucket, now), now)] : []
    })
  }

  async reset(key: string, tenant = key): Promise<void> {
    await this.#inTime(this.#store.reset(key, tenant))
  }

  async add(key: string, more: QuotaAddition, tenant = key): Promise<void> {
    rejectUnknownOptions('quota', 'add(key, more)', more, ['requests', 'tokens', 'cost'])
    for (const [kind, amount] of Object.entries(more)) {
      if (amount !== undefined && !(typeof amount === 'number' && Math.abs(unitsOf(kind, amount)) <= MAX_AMOUNT)) {
        throw new TypeError(`quota: add(key, { ${kind} }) takes a finite number; got ${String(amount)}`)
      }
    }
    const now = Date.now()
    const charges = (await this.#inTime(this.#store.read(key, tenant))).flatMap((state): Charge[] => {
      const bucket = bucketNamed(key, state.name, state.allowed, now, this.#calendar)
      const amount = (bucket && more[bucket.kind as keyof typeof more]) ?? 0
      if (!bucket || amount === 0) return []
      return [{ ...bucket, amount: -unitsOf(bucket.kind, amount), takenBackFrom: undefined }]
    })
    // The store takes it off its current window, which the last use may not have been in.
    if (charges.length > 0) await this.#inTime(this.#store.settle({ id: randomUUID(), slot: tenant, charges }))
  }

  #inTime<T>(answer: T | Promise<T>): T | Promise<T> {
    return isThenable(answer) ? inTime(answer, this.#timeoutMs, 'The store') : answer
  }
}

/** Returns an amount in the store's units. */
function unitsOf(kind: string, amount: number): number {
  return Math.floor(kind === 'cost' ? amount * COST_UNITS : amount)
}

/** Returns a bucket as of now: the window that counted last may be over. */
function currentState(state: KeyState, { window }: LimitBucket, now: number): BucketState {
  const { current, previous } = windowsAt(window, now)
  const isOver = state.window !== undefined && current !== undefined && state.window < current
  if (!isOver) return state
  const last = window.kind === 'calendar' ? window.starts.findLast((start) => start < current) : previous
  const wasLast = state.window === last
  return {
    current: (wasLast && state.carried) || 0,
    previous: wasLast ? state.current : 0,
    held: state.held,
    window: current,
  }
}
