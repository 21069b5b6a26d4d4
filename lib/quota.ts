export type { QuotaAddition } from './quota/account.js'
export type { WhenStoreFails } from './quota/guarded-store.js'
export type { LimitStatus } from './quota/headers.js'
export { memoryStore } from './quota/memory-store.js'
export type { QuotaCharge, QuotaOptions, QuotaRequest } from './quota/options.js'
export { type Quota, type QuotaStats, quota } from './quota/quota-policy.js'
export { type RedisStoreOptions, redisStore } from './quota/redis-store.js'
export type { QuotaKind, QuotaRule, QuotaTime } from './quota/rules.js'
export type {
  Bucket,
  BucketState,
  Charge,
  Claim,
  KeyState,
  Lease,
  QuotaStore,
  Reservation,
  Reserved,
  Settlement,
  Window,
} from './quota/store.js'
export type { RedisClient } from './util/redis-client.js'
