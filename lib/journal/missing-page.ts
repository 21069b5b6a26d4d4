import type { JournalPage } from '../api/journal.js'

/** The page of an entry that is not there. */
export const MISSING: JournalPage = {
  state: 'missing',
  about: '',
  head: undefined,
  batches: [],
  oldest: 1,
  newest: 0,
  end: undefined,
}
