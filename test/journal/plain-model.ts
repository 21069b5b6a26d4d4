import assert from 'node:assert/strict'
import type { JournalBatch, JournalEnd, JournalHead, JournalPage, NewJournalEntry } from '../../lib/api/journal.js'
import { eventsAfter } from './support.js'

/** An entry as it should be. */
export class PlainEntry {
  readonly entry: NewJournalEntry
  head: JournalHead | undefined
  end: JournalEnd | undefined
  isMissing = false
  readonly #batches: JournalBatch[] = []
  /** Where the batches begin that are kept. */
  #kept = 0

  constructor(entry: NewJournalEntry) {
    this.entry = entry
  }

  get isOpen(): boolean {
    return !this.isMissing && !this.end
  }

  get newest(): number {
    const last = this.#batches.at(-1)
    return last ? last.first + last.ends.length - 1 : 0
  }

  append(batch: JournalBatch): void {
    this.#batches.push(batch)
    const { maxBytes, trims } = this.entry
    if (trims) while (this.#bytesFrom(this.#kept) > maxBytes && this.#kept < this.#batches.length - 1) this.#kept++
    else if (this.#bytesFrom(0) > maxBytes) this.isMissing = true
  }

  /**
   * Checks what a store returns.
   *
   * @param isExact the store trims as soon, and as little, as it can
   */
  check(page: JournalPage, after: number, maxBytes: number, isExact: boolean): void {
    if (this.isMissing) {
      assert.equal(page.state, 'missing')
      return
    }
    const { state, about, head, newest, end, oldest, batches } = page
    assert.deepEqual(
      { state, about, head, newest, end },
      {
        state: this.end ? 'ended' : 'open',
        about: this.entry.about,
        head: this.head,
        newest: this.newest,
        end: this.end,
      },
    )
    this.#checkOldest(oldest, isExact)
    const from = Math.max(after + 1, oldest)
    const wanted = eventsAfter(this.#batches, from - 1)
    const got = eventsAfter(batches, after)
    const count = Object.keys(got).length
    assert.deepEqual(got, Object.fromEntries(Object.entries(wanted).slice(0, count)))
    assert.ok(count > 0 || from > newest, 'something is returned if there is something')
    const sizes = batches.map(({ bytes }) => bytes.length)
    assert.ok(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0) < maxBytes, 'not much more is returned')
    for (const batch of batches) {
      assert.equal(batch.at, this.#batches.find(({ first }) => first === batch.first)!.at)
      assert.ok(batch.first + batch.ends.length - 1 > after)
    }
  }

  #checkOldest(oldest: number, isExact: boolean): void {
    const first = this.#batches.findIndex((batch) => batch.first === oldest)
    assert.ok(first >= 0 || (oldest === 1 && this.newest === 0), `${oldest} is the first of a batch`)
    if (isExact) assert.equal(oldest, this.#batches[this.#kept]?.first ?? 1)
    const { maxBytes } = this.entry
    const kept = this.#bytesFrom(first)
    assert.ok(kept <= maxBytes || first === this.#batches.length - 1, 'no more is kept than may be')
    if (oldest === 1) return
    const largest = Math.max(maxBytes / 32, ...this.#batches.map(({ bytes }) => bytes.length))
    assert.ok(kept > maxBytes - largest, `only ${kept} of ${maxBytes} bytes are kept`)
  }

  #bytesFrom(index: number): number {
    return this.#batches.slice(index).reduce((sum, { bytes }) => sum + bytes.length, 0)
  }
}
