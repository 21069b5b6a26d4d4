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
