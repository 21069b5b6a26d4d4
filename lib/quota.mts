// One implementation, whichever way it is loaded, as in index.mts.
export type * from './quota.js'
export { memoryStore, quota, redisStore } from './quota.js'
