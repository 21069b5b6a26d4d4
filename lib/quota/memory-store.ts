import { rejectUnknownOptions } from '../util/option-errors.js'
import { RecentIds } from '../util/recent-ids.js'
import { ExpiryQueue } from './expiry-queue.js'
import type {
  Bucket,
  BucketState,
  Claim,
  KeyState,
  Lease,
  QuotaStore,
  Reservation,
  Reserved,
  Settlement,
} from './store.js'
import { usedIn, windowsAt } from './usage.js'

/** Buckets that are looked at per reservation to find those that have expired. */
const SWEPT_AT_ONCE = 4

/** Rebuilding a queue is not worth it for this many outdated items. */
const FEW = 64

/** How many ids of requests are remembered: a settlement is repeated soon, or not at all. */
const MAX_IDS = 10_000

interface Counted {
  readonly counts: Map<number, number>
  allowed: number
  held: number
  window: number | undefined
}

interface HeldLease {
  expiresAt: number
  /** The earliest time at which the queue has it. */
  queuedFor: number
  readonly held: Map<string, number>
}

interface KeyEntry {
  readonly buckets: Map<string, Counted>
  readonly leases: Map<string, HeldLease>
  /** Ids of leases. One that was renewed or given back meanwhile stays until it would have been due. */
  readonly queue: ExpiryQueue<string>
  expiresAt: number
}

/** Keeps quotas in this process: for one process, and for tests. Synchronous, and bounded: what no window needs is forgotten. */
export class MemoryStore implements QuotaStore {
  readonly #keys = new Map<string, KeyEntry>()
  readonly #settled = new RecentIds(MAX_IDS)
  /** Ids that have counted at once, and are not settled. */
  readonly #counted = new RecentIds(MAX_IDS)
  readonly #now: () => number
  #sweep: IterableIterator<[string, KeyEntry]> | undefined

  /** @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Number of keys in memory. */
  get size(): number {
    return this.#keys.size
  }

  reserve({ id, claims, leaseMs, force = false }: Reservation): Reserved {
    const now = this.#now()
    this.#forgetSome(now)
    for (const { key } of claims) this.#purge(key, now)
    const before = claims.map((claim) => this.#stateOf(claim, now))
    const isSettled = this.#settled.has(id)
    const hasRoom = claims.every(
      (claim, at) =>
        claim.amount === 0 || usedIn(before[at]!, claim.window, now) + before[at]!.held + claim.amount <= claim.allowed,
    )
    const granted = hasRoom && !isSettled
    if (isSettled || (!hasRoom && !force)) return { granted, now, states: before }
    const isRepeated = this.#counted.has(id)
    for (const claim of claims) if (!(isRepeated && claim.countsAtOnce)) this.#take(claim, id, leaseMs, now)
    return { granted, now, states: claims.map((claim) => this.#stateOf(claim, now)) }
  }

  settle({ id, charges }: Settlement): void {
    const now = this.#now()
    if (this.#settled.has(id)) return
    this.#settled.add(id)
    const hasCounted = this.#counted.delete(id)
    for (const { key } of charges) this.#release(key, id)
    for (const charge of charges) {
      if (charge.amount === 0 || (charge.unlessReserved && hasCounted)) continue
      const bucket = this.#bucket(charge, now)
      if (charge.takenBackFrom !== undefined) {
        const counted = bucket.counts.get(charge.takenBackFrom) ?? 0
        if (counted > 0) bucket.counts.set(charge.takenBackFrom, Math.max(0, counted - charge.amount))
      } else {
        const carries = charge.window.kind === 'calendar' && charge.carries !== false
        this.#count(bucket, charge, charge.amount, now, carries)
      }
    }
  }

  renew(leases: readonly Lease[], leaseMs: number): void {
    const now = this.#now()
    for (const { id, key, held } of leases) {
      if (this.#settled.has(id)) continue
      const entry = this.#entry(key, now + leaseMs)
      const lease = entry.leases.get(id)
      if (lease) this.#extend(entry, id, lease, now + leaseMs)
      // If it had ended, and a later reservation began it again, it holds only what that one asked for.
      for (const [name, amount] of Object.entries(held)) {
        const lacking = amount - (lease?.held.get(name) ?? 0)
        if (lacking > 0) this.#hold(entry, id, name, lacking, now + leaseMs)
      }
    }
  }

  read(key: string): readonly KeyState[] {
    this.#purge(key, this.#now())
    return [...(this.#keys.get(key)?.buckets ?? [])].map(([name, { counts, window, allowed, held }]) => ({
      name,
      allowed,
      held,
      window,
      current: (window !== undefined && counts.get(window)) || 0,
      previous: (window !== undefined && counts.get(window - 1)) || 0,
      carried: sumAfter(counts, window),
    }))
  }

  reset(key: string): void {
    for (const bucket of this.#keys.get(key)?.buckets.values() ?? []) bucket.counts.clear()
  }

  #stateOf(claim: Bucket, now: number): BucketState {
    const bucket = this.#keys.get(claim.key)?.buckets.get(claim.name)
    const { current, previous } = windowsAt(claim.window, now)
    const held = bucket?.held ?? 0
    return { current: countIn(bucket, current), previous: countIn(bucket, previous), held, window: current }
  }

  #take(claim: Claim, id: string, leaseMs: number, now: number): void {
    const bucket = this.#bucket(claim, now)
    if (!claim.countsAtOnce) {
      return this.#hold(this.#entry(claim.key, now + leaseMs), id, claim.name, claim.amount, now + leaseMs)
    }
    this.#count(bucket, claim, claim.amount, now)
    this.#counted.add(id)
  }

  #hold(entry: KeyEntry, id: string, name: string, amount: number, expiresAt: number): void {
    const lease = entry.leases.get(id) ?? { expiresAt, queuedFor: Number.POSITIVE_INFINITY, held: new Map() }
    lease.held.set(name, (lease.held.get(name) ?? 0) + amount)
    entry.leases.set(id, lease)
    this.#extend(entry, id, lease, expiresAt)
    const bucket = entry.buckets.get(name)
    if (bucket) bucket.held += amount
    else entry.buckets.set(name, { counts: new Map(), allowed: 0, held: amount, window: undefined })
  }

  /** Sets when a lease expires. A later time needs no place of its own in the queue: it is looked up when the earlier one is due. */
  #extend({ leases, queue }: KeyEntry, id: string, lease: HeldLease, expiresAt: number): void {
    lease.expiresAt = expiresAt
    if (expiresAt >= lease.queuedFor) return
    lease.queuedFor = expiresAt
    queue.add(id, expiresAt)
    if (queue.size <= 2 * leases.size + FEW) return
    // Most of them were given back long before they were due.
    queue.clear()
    for (const [each, held] of leases) {
      held.queuedFor = held.expiresAt
      queue.add(each, held.expiresAt)
    }
  }

  #count(bucket: Counted, { window, allowed }: Bucket, amount: number, now: number, carries = false): void {
    const { current, next } = windowsAt(window, now)
    if (current === undefined) return
    const counted = (bucket.counts.get(current) ?? 0) + amount
    // What a calendar window cannot take goes to the next one.
    // Only this request can be too much: another limit of the key may have allowed what was counted before.
    const excess = carries && next !== undefined ? Math.max(0, Math.min(amount, counted - allowed)) : 0
    bucket.counts.set(current, counted - excess)
    if (excess > 0 && next !== undefined) bucket.counts.set(next, (bucket.counts.get(next) ?? 0) + excess)
  }

  #bucket({ key, name, window, allowed }: Bucket, now: number): Counted {
    const entry = this.#entry(key, expiryOf(window, now))
    const { current, previous } = windowsAt(window, now)
    const known = entry.buckets.get(name)
    const bucket = known ?? { counts: new Map<number, number>(), allowed, held: 0, window: current }
    if (!known) entry.buckets.set(name, bucket)
    bucket.allowed = allowed
    if (bucket.window !== current) {
      bucket.window = current
      for (const old of bucket.counts.keys()) if (old < (previous ?? current ?? 0)) bucket.counts.delete(old)
    }
    return bucket
  }

  #entry(key: string, expiresAt: number): KeyEntry {
    const entry = this.#keys.get(key) ?? { buckets: new Map(), leases: new Map(), queue: new ExpiryQueue(), expiresAt }
    entry.expiresAt = Math.max(entry.expiresAt, expiresAt)
    this.#keys.set(key, entry)
    return entry
  }

  #purge(key: string, now: number): void {
    const entry = this.#keys.get(key)
    for (let id = entry?.queue.takeDue(now); entry && id !== undefined; id = entry.queue.takeDue(now)) {
      const lease = entry.leases.get(id)
      if (!lease) continue
      if (lease.expiresAt <= now) this.#release(key, id)
      else {
        lease.queuedFor = lease.expiresAt
        entry.queue.add(id, lease.expiresAt)
      }
    }
  }

  #release(key: string, id: string): void {
    const entry = this.#keys.get(key)
    const lease = entry?.leases.get(id)
    if (!entry || !lease) return
    entry.leases.delete(id)
    for (const [name, amount] of lease.held) {
      const bucket = entry.buckets.get(name)
      if (bucket) bucket.held -= amount
    }
  }

  /** Goes round all keys, a few with each reservation. */
  #forgetSome(now: number): void {
    for (let count = 0; count < SWEPT_AT_ONCE; count++) {
      this.#sweep ??= this.#keys.entries()
      const { value, done } = this.#sweep.next()
      if (done) {
        this.#sweep = undefined
        return
      }
      if (value[1].expiresAt <= now) this.#keys.delete(value[0])
    }
  }
}

function sumAfter(counts: ReadonlyMap<number, number>, window = Number.POSITIVE_INFINITY): number {
  let sum = 0
  for (const [at, count] of counts) if (at > window) sum += count
  return sum
}

function countIn(bucket: Counted | undefined, window: number | undefined): number {
  return (bucket && window !== undefined && bucket.counts.get(window)) || 0
}

/** Returns the time at which no window needs the current counts any more. */
function expiryOf(window: Bucket['window'], now: number): number {
  if (window.kind === 'none') return now
  return window.kind === 'sliding' ? now + 2 * window.ms : (window.starts.at(-1) ?? now)
}

/**
 * Creates a store of quotas in this process. Several processes then have a quota each: for them there is `redisStore`.
 *
 * @throws TypeError if it is given options: it has none
 */
export function memoryStore(): QuotaStore
export function memoryStore(options: object = {}): QuotaStore {
  rejectUnknownOptions('memoryStore', '', options, [])
  return new MemoryStore()
}
