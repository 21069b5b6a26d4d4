import assert from 'node:assert/strict'
import type { Journal } from '../../../lib/api/journal.js'
import { memoryJournal } from '../../../lib/journal.js'

const METHODS = [
  ...(['create', 'read', 'watch', 'stop', 'keep', 'remove', 'put', 'get', 'drop', 'list', 'stats', 'close'] as const),
]

/** A journal in memory, of which a test changes some methods, and that counts who watches. */
export function changedJournal(change: (memory: Journal) => Partial<Journal> = () => ({})) {
  const memory = memoryJournal()
  const watched = { now: 0 }
  const bound = Object.fromEntries(
    METHODS.map((name) => [name, (memory[name] as (...args: unknown[]) => unknown).bind(memory)]),
  ) as unknown as Journal
  const journal: Journal = {
    ...bound,
    watch: (id, callback) => {
      watched.now++
      const stop = memory.watch(id, callback)
      return () => {
        watched.now--
        stop()
      }
    },
    ...change(memory),
  }
  return { journal, watched }
}

/** Returns an event without the line that `resume` puts in front of it. */
export const withoutId = (event: string) => event.replace(/^id: .*\n/, '')

/** Returns the id of an event. */
export const idOf = (event: string) => /^id: (.*)$/m.exec(event)?.[1] ?? assert.fail(`no id: ${event}`)
