// One implementation, whichever way it is loaded, as in index.mts.
export type * from './queue.js'
export { queue } from './queue.js'
