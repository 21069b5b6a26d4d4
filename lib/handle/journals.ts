import type { Journal, JournalStats } from '../api/journal.js'
import { journalStatsOf } from '../exchange/journal-figures.js'
import { KeptAnswers, READ_MS } from '../journal/answer-cache.js'
import { memoryJournal } from '../journal/memory-journal.js'
import type { Config } from '../options/config.js'

/** Where a middleware keeps answers. */
export interface Journals {
  /** For streams that can be continued; `undefined` if that is off. */
  readonly resume: Journal | undefined
  /** For answers that others get; `undefined` if that is off. */
  readonly cache: Journal | undefined
  /** What they hold, added up; `undefined` if there are none. */
  stats(): JournalStats | undefined
  /** Releases those that are the middleware's own. */
  close(): Promise<void>
}

/** Makes the journals that the options do not give. */
export function createJournals({ resume, cache }: Config): Journals {
  const isOwnNeeded = (resume && !resume.journal) || (cache && !cache.journal && !resume?.journal)
  const own = isOwnNeeded ? memoryJournal() : undefined
  const forResume = resume && (resume.journal ?? own)
  const forCache = cache && (cache.journal ?? resume?.journal ?? own)
  const all = [...new Set([forResume, forCache])].filter((journal) => journal !== undefined)
  return {
    resume: forResume,
    cache: forCache,
    stats: () => journalStatsOf(all),
    close: async () => {
      await own?.close()
    },
  }
}

/** Makes what knows the answers that are kept for others; `undefined` if that is off. */
export function createKeptAnswers({ cache, resume }: Config, journals: Journals): KeptAnswers | undefined {
  if (!cache || !journals.cache) return undefined
  // Whoever got an answer may continue it, however soon it is too old for others.
  const readMs = Math.max(READ_MS, resume && journals.cache === journals.resume ? resume.windowMs : 0)
  return new KeptAnswers(journals.cache, { ttlMs: cache.ttlMs, readMs })
}
