// One implementation, whichever way it is loaded, as in index.mts.
export type * from './prometheus.js'
export { prometheusObserver } from './prometheus.js'
