import { mutationsOf } from '../mutation.js'

/** What a journal keeps, and for how long. */
export const journal = mutationsOf(
  'journal',
  ['test/journal/memory-journal.test.ts', 'test/journal/stores.model.test.ts'],
  [
    ['if (batches.eventBytes > maxBytes && !trims) return this.#context.onDrop()', ''],
    ['batches.eventBytes > maxBytes && batches.length > 1', 'batches.eventBytes > maxBytes'],
    ['=> first + ends.length - 1 > after', '=> first > after', 'test/journal/redis-items.test.ts'],
    ['if (!this.#isShared) this.#free.give(memory)', 'this.#free.give(memory)'],
    ['first === this.newest + 1', 'true', 'test/journal/kept-batches.test.ts'],
    ['block.length > 0 || this.#blocks.length === 1', 'this.#blocks.length === 1', 'test/journal/kept-batches.test.ts'],
    ['if (found.length > 0) this.#isShared = true', ''],
    ['others !== blocks && others.length > 0', 'others.length > 0', 'test/journal/kept-batches.test.ts'],
    ['this.#blocks.delete(fitting)\n', '', 'test/journal/kept-batches.test.ts'],
    ['if (ifAbsent && this.get(name) !== undefined) return false', ''],
    ['const id = oldest ?? this.#open.keys().next().value', 'const id = this.#open.keys().next().value ?? oldest'],
    ['this.expiresAt = this.#context.now() + this.#entry.keepMs', 'this.expiresAt = this.#entry.keepMs'],
    ['if (callbacks && !this.#isDiscarded) queueMicrotask(() => callbacks.onFailure(undefined))', ''],
    [
      'if (!this.#info || this.#info.isWriterAlive === isWriterAlive) return false',
      'if (this.#info) return false',
      'test/journal/redis-journal.test.ts',
    ],
  ],
)
