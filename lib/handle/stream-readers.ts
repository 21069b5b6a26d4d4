import type { Journal } from '../api/journal.js'
import { catchRejection } from '../util/promises.js'

/** A mark that is left behind, by a process that has died, counts for so long. */
const MARK_MS = 60 * 60_000

/** Notes that a client reads an answer that several share. */
export function markReader(journal: Journal, entry: string, id: string): void {
  catchRejection(journal.put(nameOf(entry, id), '1', MARK_MS), () => {})
}

/** The client reads it no more. */
export function unmarkReader(journal: Journal, entry: string, id: string): void {
  catchRejection(journal.drop(nameOf(entry, id)), () => {})
}

/**
 * Stops the provider of an answer, unless others read it.
 *
 * @param id of the client that asks for that
 */
export async function stopUnlessShared(journal: Journal, entry: string, id: string): Promise<void> {
  const own = nameOf(entry, id)
  const others = (await journal.list(nameOf(entry, ''))).filter(([name]) => name !== own)
  if (others.length === 0) await journal.stop(entry)
}

function nameOf(entry: string, id: string): string {
  return `f:${entry}:${id}`
}
