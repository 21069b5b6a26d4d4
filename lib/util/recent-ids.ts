/**
 * Remembers ids, at least the last ones that were added, in two generations: the older is forgotten as a whole. To forget
 * the oldest id each time, V8 would pass over all that were deleted before it.
 */
export class RecentIds {
  readonly #max: number
  #younger = new Set<string>()
  #older = new Set<string>()

  /** @param max how many are remembered for certain; twice as many at most */
  constructor(max: number) {
    this.#max = max
  }

  has(id: string): boolean {
    return this.#younger.has(id) || this.#older.has(id)
  }

  add(id: string): void {
    this.#younger.add(id)
    if (this.#younger.size < this.#max) return
    this.#older = this.#younger
    this.#younger = new Set()
  }

  /** @returns whether it was remembered */
  delete(id: string): boolean {
    const wasYoung = this.#younger.delete(id)
    return this.#older.delete(id) || wasYoung
  }
}
