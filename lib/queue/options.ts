import type { PolicyExchange } from '../api/policy.js'
import type { Subject } from '../api/subject.js'
import { rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { shownResult } from '../util/shown.js'
import { namedTenantKey, tenantKey } from '../util/tenant-key.js'

/** Options of {@link queue}. */
export interface QueueOptions {
  /**
   * Exchanges that run at once; further ones wait. Default: as many as the targets take (`maxConcurrent` of each), and no limit
   * of its own (`false`).
   */
  readonly maxConcurrent?: number | false
  /**
   * Exchanges that wait at once. One more, and the one that came last of the tenant that has most waiting for its weight gets
   * 503 `queue_full`. Default 100.
   */
  readonly maxWaiting?: number
  /** How long an exchange waits, in milliseconds; then it gets 503 `queue_timeout`. `false`: without end. Default 10,000. */
  readonly maxWaitMs?: number | false
  /** Returns the tenant that an exchange waits for. Default: the subject's `tenant`, or else its `id`. */
  readonly key?: (subject: Subject, exchange: PolicyExchange) => string
  /** Returns a tenant's share, from 0.001 to 1000: with 2 it may begin twice as many tokens as one with 1. Default 1. */
  readonly weight?: (tenant: string, exchange: PolicyExchange) => number
}

/** The options with their defaults. */
export interface ResolvedQueueOptions extends Required<QueueOptions> {
  /** `Infinity` without a limit. */
  readonly maxConcurrent: number
  /** Returns the tenant's key by what `key` returns: with the default, a subject without a tenant has one of its own. */
  readonly tenantKey: (subject: Subject, exchange: PolicyExchange) => string
}

const names = ['maxConcurrent', 'maxWaiting', 'maxWaitMs', 'key', 'weight']

/** @throws TypeError if an option is wrong */
export function resolveQueueOptions(options: QueueOptions = {}): ResolvedQueueOptions {
  rejectUnknownOptions('queue', '', options, names)
  const { maxConcurrent = false, maxWaiting = 100, maxWaitMs = 10_000 } = options
  const { key = ({ id, tenant }: Subject) => tenant ?? id, weight = () => 1 } = options
  const isWhole = (value: unknown, from: number) => Number.isSafeInteger(value) && (value as number) >= from
  if (maxConcurrent !== false && !isWhole(maxConcurrent, 1)) {
    rejectOption('queue', 'maxConcurrent', maxConcurrent, 'a whole number of at least 1, or false')
  }
  if (!isWhole(maxWaiting, 0)) rejectOption('queue', 'maxWaiting', maxWaiting, 'a whole number of at least 0')
  if (maxWaitMs !== false && !(typeof maxWaitMs === 'number' && maxWaitMs > 0 && maxWaitMs < 2 ** 31)) {
    rejectOption('queue', 'maxWaitMs', maxWaitMs, 'milliseconds, above 0, or false')
  }
  for (const [name, value] of Object.entries({ key, weight })) {
    if (typeof value !== 'function') rejectOption('queue', name, value, 'a function')
  }
  const keyOf =
    options.key === undefined
      ? tenantKey
      : (subject: Subject, exchange: PolicyExchange) => namedTenantKey(checkedName(key(subject, exchange)))
  const most = maxConcurrent === false ? Number.POSITIVE_INFINITY : maxConcurrent
  return { maxConcurrent: most, maxWaiting, maxWaitMs, key, weight, tenantKey: keyOf }
}

function checkedName(name: unknown): string {
  if (typeof name === 'string') return name
  throw new TypeError(`queue: key returns a string; got ${shownResult(name)}`)
}
