import type { Journal, JournalStats } from '../api/journal.js'

const parts = new WeakMap<JournalStats, ReadonlyMap<Journal, JournalStats>>()

/** Returns what journals hold, added up; `undefined` if there are none. */
export function journalStatsOf(journals: readonly Journal[]): JournalStats | undefined {
  if (journals.length === 0) return undefined
  const each = new Map(journals.map((journal) => [journal, journal.stats()]))
  const sum = sumOf([...each.values()])
  parts.set(sum, each)
  return sum
}

/** Adds up such sums of several middlewares. They may share a journal, which counts once. */
export function sumOfDistinct(sums: readonly JournalStats[]): JournalStats {
  const each = new Map<unknown, JournalStats>()
  for (const sum of sums) for (const [journal, stats] of parts.get(sum) ?? [[sum, sum]]) each.set(journal, stats)
  return sumOf([...each.values()])
}

function sumOf(all: readonly JournalStats[]): JournalStats {
  const none = { entries: 0, bytes: 0, failures: 0, incomplete: 0 }
  return all.reduce<JournalStats>(
    (one, other) => ({
      entries: one.entries + other.entries,
      bytes: one.bytes + other.bytes,
      failures: one.failures + other.failures,
      incomplete: one.incomplete + other.incomplete,
    }),
    none,
  )
}
