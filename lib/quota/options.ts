import type { PolicyExchange } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import type { Subject } from '../api/subject.js'
import { anyOf, rejectOption, rejectUnknownOptions } from '../util/option-errors.js'
import { CalendarCache } from './calendar.js'
import type { WhenStoreFails } from './guarded-store.js'
import type { LimitStatus } from './headers.js'
import { memoryStore } from './memory-store.js'
import { compileRules, type QuotaRule } from './rules.js'
import type { QuotaStore } from './store.js'

/** A request that limits are asked for. */
export interface QuotaRequest {
  /** The subject of the request, by the option `identify`; without that, an empty id. */
  readonly subject: Subject
  /** The model that it names. */
  readonly model: string | undefined
}

/** What an exchange is charged in place of what it used. */
export interface QuotaCharge {
  /** Default: what it used. */
  readonly tokens?: number | undefined
  /** Default: what that cost. */
  readonly cost?: number | undefined
}

/** Options of {@link quota}. */
export interface QuotaOptions {
  /** The limits of a request: all of them must have room for it. A function may give each request its own. */
  readonly limits:
    | readonly QuotaRule[]
    | ((request: QuotaRequest, exchange: PolicyExchange) => readonly QuotaRule[] | Promise<readonly QuotaRule[]>)
  /** Where they are kept. Default: `memoryStore()`, in this process. */
  readonly store?: QuotaStore
  /**
   * What happens to a stream that uses more than was reserved for it when nothing is left: `'finish'` lets it end and takes the
   * rest from the next window, `'cut'` ends it with the error event `quota_exceeded`. Default `'finish'`.
   */
  readonly onExhausted?: 'finish' | 'cut'
  /**
   * What happens while the store cannot be reached: `'local'` counts an equal share in this process, `'open'` lets everything
   * pass, `'closed'` refuses with 503 `quota_unavailable`. Default `'local'`.
   */
  readonly whenStoreFails?: WhenStoreFails
  /** Number of processes that share the store, for `'local'`. Default 1. */
  readonly instances?: number
  /** How long the store may take, in milliseconds. Default 1,000. */
  readonly storeTimeoutMs?: number
  /** How long what a process holds lives after its death, in milliseconds; it is renewed every third of it. Default 30,000. */
  readonly leaseMs?: number
  /** Returns the tokens of a request's input. Default: a quarter of its bytes. */
  readonly countInput?: (exchange: PolicyExchange) => number
  /**
   * The tokens that an answer is taken to have if neither the request nor `limits.maxOutputTokens` bounds it. Default: the 90th
   * percentile of the last 100 answers of the same key and model, and 1,000 before there are ten.
   */
  readonly assumedOutput?: number | ((exchange: PolicyExchange) => number)
  /**
   * Returns what an exchange is charged, in place of what it used; `undefined` for that. Of a kept answer, or another request's,
   * `record.cache` says so, and the record has no usage: it is charged nothing else. Default: none.
   */
  readonly charge?: (record: ExchangeRecord, exchange: PolicyExchange) => QuotaCharge | undefined
  /** `false` counts and reports everything, and refuses nothing. Default `true`. */
  readonly enforce?: boolean
  /** Called with each request that exceeds a limit, also if it is not refused. Default: none. */
  readonly onExceeded?: (limit: LimitStatus, exchange: PolicyExchange) => void
}

/** The options with their defaults. */
export type ResolvedQuotaOptions = Required<
  Omit<QuotaOptions, 'limits' | 'countInput' | 'assumedOutput' | 'charge' | 'onExceeded'>
> &
  Pick<QuotaOptions, 'countInput' | 'assumedOutput' | 'charge' | 'onExceeded'> & {
    readonly limitsOf: (
      request: QuotaRequest,
      exchange: PolicyExchange,
    ) => readonly QuotaRule[] | Promise<readonly QuotaRule[]>
  }

const names = [
  ...['limits', 'store', 'onExhausted', 'whenStoreFails', 'instances', 'storeTimeoutMs', 'leaseMs'],
  ...['countInput', 'assumedOutput', 'charge', 'enforce', 'onExceeded'],
]

/** @throws TypeError if an option is wrong */
export function resolveQuotaOptions(options: QuotaOptions): ResolvedQuotaOptions {
  rejectUnknownOptions('quota', '', options, names)
  const { limits, store = memoryStore(), onExhausted = 'finish', whenStoreFails = 'local', instances = 1 } = options
  const { storeTimeoutMs = 1000, leaseMs = 30_000, enforce = true } = options
  const { countInput, assumedOutput, charge, onExceeded } = options
  if (typeof limits !== 'function' && !Array.isArray(limits)) {
    rejectOption('quota', 'limits', limits, 'a list of limits, or a function that returns one')
  }
  const methods = ['reserve', 'settle', 'renew', 'read', 'reset'] as const
  if (typeof store !== 'object' || store === null || methods.some((method) => typeof store[method] !== 'function')) {
    rejectOption('quota', 'store', store, 'a store: memoryStore() or redisStore({ client })')
  }
  oneOf('onExhausted', onExhausted, ['finish', 'cut'])
  oneOf('whenStoreFails', whenStoreFails, ['local', 'open', 'closed'])
  if (!Number.isInteger(instances) || instances < 1)
    rejectOption('quota', 'instances', instances, 'a whole number of at least 1')
  positive('storeTimeoutMs', storeTimeoutMs)
  positive('leaseMs', leaseMs)
  if (typeof enforce !== 'boolean') rejectOption('quota', 'enforce', enforce, 'true or false')
  for (const [name, value] of Object.entries({ countInput, charge, onExceeded })) {
    if (value !== undefined && typeof value !== 'function') rejectOption('quota', name, value, 'a function')
  }
  const assumes =
    assumedOutput === undefined ||
    typeof assumedOutput === 'function' ||
    (Number.isFinite(assumedOutput) && assumedOutput >= 0)
  if (!assumes) rejectOption('quota', 'assumedOutput', assumedOutput, 'a number of at least 0, or a function')
  if (typeof limits !== 'function') compileRules(limits, Date.now(), new CalendarCache())
  const limitsOf = typeof limits === 'function' ? limits : () => limits
  const defaults = { store, onExhausted, whenStoreFails, instances, storeTimeoutMs, leaseMs, enforce, limitsOf }
  return { ...defaults, ...given({ countInput, assumedOutput, charge, onExceeded }) }
}

function given<T extends object>(options: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}

function oneOf(name: string, value: unknown, choices: readonly string[]): void {
  if (!choices.includes(value as string))
    rejectOption('quota', name, value, anyOf(choices.map((choice) => `'${choice}'`)))
}

function positive(name: string, value: unknown): void {
  if (!(typeof value === 'number' && value > 0 && value < 2 ** 31))
    rejectOption('quota', name, value, 'milliseconds, above 0')
}
