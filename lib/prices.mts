// One implementation, whichever way it is loaded, as in index.mts.
export type * from './prices.js'
export { genaiPrices } from './prices.js'
