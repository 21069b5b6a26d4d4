import { randomBytes } from 'node:crypto'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { isCluster, isRedisClient, type RedisClient, RedisScript } from '../util/redis-client.js'
import { READ, RENEW, RESERVE, RESET, SETTLE } from './redis-scripts.js'
import type { Bucket, BucketState, KeyState, Lease, QuotaStore, Reservation, Reserved, Settlement } from './store.js'

/** Options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** A connected client of `ioredis` or of `redis` (node-redis 4 or later), for one server or for a cluster. */
  readonly client: RedisClient
  /** What the names of all keys begin with. Default `'ai-quota:'`. */
  readonly prefix?: string
  /**
   * Which keys are together in one hash slot. `'tenant'`: those of one tenant; a key that several tenants share then counts for
   * each of them separately. `'one'`: all of them, so that keys can be shared, and one server of a cluster does all the work.
   * Default: `'tenant'` for a cluster, `'one'` otherwise.
   */
  readonly slot?: 'tenant' | 'one'
}

const scripts = {
  reserve: new RedisScript(RESERVE),
  settle: new RedisScript(SETTLE),
  renew: new RedisScript(RENEW),
  read: new RedisScript(READ),
  reset: new RedisScript(RESET),
}

/** Leases that one script renews: a script holds the server. */
const RENEWED_AT_ONCE = 200

/**
 * Creates a store of quotas in Redis (6 or later) or Valkey, for any number of processes. Each request runs one script before
 * and one after; the time is that of the server.
 *
 * @throws TypeError if an option is wrong
 */
export function redisStore(options: RedisStoreOptions): QuotaStore {
  rejectUnknownOptions('redisStore', '', options, ['client', 'prefix', 'slot'])
  const { client, prefix = 'ai-quota:', slot } = options
  if (!isRedisClient(client)) {
    rejectOption('redisStore', 'client', client, 'a client of ioredis or redis')
  }
  if (typeof prefix !== 'string' || /[{}]/.test(prefix)) {
    rejectOption('redisStore', 'prefix', prefix, 'a text without { and }')
  }
  if (slot !== undefined && slot !== 'tenant' && slot !== 'one') {
    rejectOption('redisStore', 'slot', slot, "'tenant' or 'one'")
  }
  return new RedisStore(client, prefix, (slot ?? (isCluster(client) ? 'tenant' : 'one')) === 'tenant')
}

class RedisStore implements QuotaStore {
  readonly #client: RedisClient
  readonly #prefix: string
  readonly #isByTenant: boolean
  readonly #process = randomBytes(12).toString('base64url')
  #calls = 0

  constructor(client: RedisClient, prefix: string, isByTenant: boolean) {
    this.#client = client
    this.#prefix = prefix
    this.#isByTenant = isByTenant
  }

  async reserve({ id, slot, claims, leaseMs, force = false }: Reservation): Promise<Reserved> {
    const { keys, placeOf } = this.#keysOf(slot, claims)
    const asked = claims.map((claim) => ({
      ...toScript(claim),
      at: placeOf(claim.key) + 2,
      amount: claim.amount,
      atOnce: claim.countsAtOnce,
    }))
    const call = `${this.#process}${(this.#calls++).toString(36)}`
    const answer = await scripts.reserve.run(
      this.#client,
      [this.#markOf(slot, id), ...keys],
      [JSON.stringify({ id, call, leaseMs, force, claims: asked })],
    )
    return readReserved(answer, claims.length)
  }

  async settle({ id, slot, charges }: Settlement): Promise<void> {
    const { keys, placeOf } = this.#keysOf(slot, charges)
    const asked = charges.map((charge) => ({
      ...toScript(charge),
      at: placeOf(charge.key) + 2,
      amount: charge.amount,
      back: charge.takenBackFrom,
      carries: charge.window.kind === 'calendar' && charge.carries !== false,
      unlessReserved: charge.unlessReserved,
    }))
    await scripts.settle.run(this.#client, [this.#markOf(slot, id), ...keys], [JSON.stringify({ id, charges: asked })])
  }

  async renew(leases: readonly Lease[], leaseMs: number): Promise<void> {
    const renewals: Promise<unknown>[] = []
    for (const together of this.#isByTenant ? bySlot(leases) : [leases]) {
      for (let at = 0; at < together.length; at += RENEWED_AT_ONCE) {
        const some = together.slice(at, at + RENEWED_AT_ONCE)
        const keys = some.flatMap((lease) => [this.#markOf(lease.slot, lease.id), ...this.#pair(lease.slot, lease.key)])
        const asked = { leaseMs, leases: some.map(({ id, held }) => ({ id, held })) }
        renewals.push(scripts.renew.run(this.#client, keys, [JSON.stringify(asked)]))
      }
    }
    // All at once: each script takes a round trip, and there is one for each tenant.
    await Promise.all(renewals)
  }

  async read(key: string, slot: string): Promise<readonly KeyState[]> {
    return readKey(await scripts.read.run(this.#client, this.#pair(slot, key), []))
  }

  async reset(key: string, slot: string): Promise<void> {
    await scripts.reset.run(this.#client, this.#pair(slot, key).slice(0, 1), [])
  }

  /** Returns the names of a hash and a sorted set for each key, and where those of a key begin. */
  #keysOf(slot: string, buckets: readonly Bucket[]) {
    const names = [...new Set(buckets.map(({ key }) => key))]
    return { keys: names.flatMap((key) => this.#pair(slot, key)), placeOf: (key: string) => 2 * names.indexOf(key) }
  }

  #pair(slot: string, key: string): string[] {
    const base = this.#base(slot)
    return [`${base}use:${key}`, `${base}leases:${key}`]
  }

  /** The mark of a request that has counted at once, or is settled. */
  #markOf(slot: string, id: string): string {
    return `${this.#base(slot)}mark:${id}`
  }

  #base(slot: string): string {
    // An empty tag, or one with a brace, would not be one: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
    return `${this.#prefix}{${this.#isByTenant ? tagOf(slot) : 'all'}}`
  }
}

function bySlot(leases: readonly Lease[]): Iterable<readonly Lease[]> {
  const slots = new Map<string, Lease[]>()
  for (const lease of leases) {
    const known = slots.get(lease.slot)
    if (known) known.push(lease)
    else slots.set(lease.slot, [lease])
  }
  return slots.values()
}

/** Returns a hash tag for each slot, never the same for two. */
function tagOf(slot: string): string {
  return slot.replace(/[%{}]/g, encodeURIComponent) || '%'
}

function toScript({ name, window, allowed }: Bucket) {
  return { name, allowed, ...window }
}

/** @throws Error if Redis answered something else, as a proxy or a wrong server may */
function readReserved(answer: unknown, count: number): Reserved {
  const unexpected = () => new Error('Redis sent an unexpected answer to a reservation')
  if (!Array.isArray(answer) || answer.length !== 2 + 4 * count) throw unexpected()
  const [granted, now, ...rest] = answer.map((value) => (value === '' ? undefined : Number(value)))
  const states = Array.from({ length: count }, (_, at): BucketState => {
    const [current, previous, held, window] = rest.slice(4 * at, 4 * at + 4)
    if (![current, previous, held].every(isWhole)) throw unexpected()
    return { current: current!, previous: previous!, held: held!, window }
  })
  if (!isWhole(now) || (granted !== 0 && granted !== 1)) throw unexpected()
  return { granted: granted === 1, now, states }
}

function isWhole(value: number | undefined): value is number {
  return Number.isSafeInteger(value)
}

function readKey(answer: unknown): readonly KeyState[] {
  const fields = new Map<string, string>()
  if (Array.isArray(answer))
    for (let at = 0; at < answer.length; at += 2) fields.set(String(answer[at]), String(answer[at + 1]))
  const names = [...fields.keys()].filter((field) => field.startsWith('m:')).map((field) => field.slice(2))
  return names.map((name) => {
    const known = fields.get(`v:${name}`)
    const window = known === undefined ? undefined : Number(known)
    const countIn = (at: number) => Number(fields.get(`w:${name}:${at}`) ?? 0)
    const later = [...fields].filter(
      ([field]) => field.startsWith(`w:${name}:`) && windowIn(field) > (window ?? Infinity),
    )
    return {
      name,
      allowed: Number(fields.get(`m:${name}`)),
      held: Number(fields.get(`h:${name}`) ?? 0),
      window,
      current: window === undefined ? 0 : countIn(window),
      previous: window === undefined ? 0 : countIn(window - 1),
      carried: later.reduce((sum, [, count]) => sum + Number(count), 0),
    }
  })
}

function windowIn(field: string): number {
  return Number(field.slice(field.lastIndexOf(':') + 1))
}
