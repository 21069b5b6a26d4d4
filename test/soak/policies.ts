import { randomUUID } from 'node:crypto'
import type { AiProxyOptions, PolicyExchange } from '../../lib/index.js'
import { type Queue, queue } from '../../lib/queue.js'
import { memoryStore, type Quota, type QuotaRequest, type QuotaRule, quota } from '../../lib/quota.js'
import type { Mount } from './mounts.js'

const USERS = Array.from({ length: 10 }, (_, at) => `user-${at}`)

/** Limits of every kind, with room for everything. */
const wide = (user: string): QuotaRule[] => [
  { key: user, requests: 1e9, per: '1m' },
  { key: user, tokens: 1e12, per: '1d' },
  { key: user, cost: 1e6, per: 'month' },
  { key: user, concurrent: 1e6 },
]

/** What exchanges of some mounts are limited by besides: some of them are to be refused, and some to be cut. */
const narrow: Partial<Record<Mount, (request: QuotaRequest, exchange: PolicyExchange) => QuotaRule>> = {
  spent: ({ subject }) => ({ key: `spent:${subject.id}`, requests: 0, per: '1m' }),
  // Its own for each request, and soon forgotten.
  metered: (_, { id }) => ({ key: `once:${id}`, tokens: 60, per: '1s' }),
}

/** More than a store remembers of requests that are settled. */
const MANY_IDS = 20_000

/** One for all middlewares. It remembers as many requests as it ever will from the start: what grows later is a leak. */
const store = memoryStore()
for (let at = 0; at < MANY_IDS; at++) store.settle({ id: randomUUID(), slot: '', charges: [] })

/** What exchanges hold of their limits, as the store counts it. */
export async function heldInStore(): Promise<number> {
  const states = await Promise.all(USERS.map((user) => store.read(user, user)))
  return states.flat().reduce((sum, { held }) => sum + held, 0)
}

/** The policies of one middleware of the soak: a quota for everybody, and a queue for some. */
export class SoakPolicies {
  readonly options: Pick<AiProxyOptions, 'identify' | 'prices' | 'unknownPrice' | 'policies'>
  readonly #quota: Quota
  readonly #queue: Queue

  constructor(mount: Mount) {
    this.#quota = quota({
      store,
      limits: (request, exchange) => [
        ...wide(request.subject.id),
        ...(narrow[mount] ? [narrow[mount](request, exchange)] : []),
      ],
      onExhausted: mount === 'metered' ? 'cut' : 'finish',
      assumedOutput: 20,
    })
    const maxConcurrent = mount === 'queued' ? 3 : 100_000
    this.#queue = queue({ maxConcurrent, maxWaiting: 100_000, maxWaitMs: 60_000 })
    this.options = {
      identify: ({ headers }) => {
        const number = Number(/#(\d+)/.exec(String(headers['x-request-id']))?.[1])
        return { id: USERS[number % USERS.length]!, tenant: `team-${number % 3}` }
      },
      prices: { 'gpt-of-the-soak': { input: 1, output: 2 } },
      unknownPrice: 0,
      policies: [this.#queue, this.#quota],
    }
  }

  /** Exchanges that the policies know of: that hold something, that have a place, that wait. */
  get held(): number {
    const { running, pending } = this.#quota.stats()
    const { running: placed, waiting } = this.#queue.stats()
    return running + pending + placed + waiting
  }
}
