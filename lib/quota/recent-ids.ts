import { OldestFirst } from '../util/oldest-first.js'

/** Remembers ids, and forgets the one that was added first if there are too many. */
export class RecentIds {
  readonly #ids = new Set<string>()
  readonly #oldest = new OldestFirst(this.#ids)
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  add(id: string): void {
    this.#ids.add(id)
    if (this.#ids.size > this.#max) this.delete(this.#oldest.take() ?? id)
  }

  /** @returns whether it was remembered */
  delete(id: string): boolean {
    return this.#ids.delete(id)
  }
}
