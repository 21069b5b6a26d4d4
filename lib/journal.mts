// One implementation, whichever way it is loaded, as in index.mts.
export type * from './journal.js'
export { memoryJournal, redisJournal } from './journal.js'
