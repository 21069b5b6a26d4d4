export type {
  Journal,
  JournalBatch,
  JournalEnd,
  JournalHead,
  JournalPage,
  JournalStats,
  JournalWriter,
  JournalWriterCallbacks,
  NewJournalEntry,
} from './api/journal.js'
export { type MemoryJournalOptions, memoryJournal } from './journal/memory-journal.js'
export { type RedisJournalOptions, redisJournal } from './journal/redis-journal.js'
export type { RedisClient } from './util/redis-client.js'
