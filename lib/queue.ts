export type { QueueOptions } from './queue/options.js'
export { type Queue, type QueueStats, queue } from './queue/queue-policy.js'
