/** A map or a set, whose keys stay in the order in which they were added. */
interface Ordered<K> {
  keys(): IterableIterator<K>
}

/**
 * Takes the keys of a map or a set, the oldest first. Asking for the first key each time would cost more the more keys
 * were deleted before it: V8 passes over all of them, which are thousands in a cache that is always full.
 */
export class OldestFirst<K> {
  readonly #ordered: Ordered<K>
  #keys: IterableIterator<K>

  constructor(ordered: Ordered<K>) {
    this.#ordered = ordered
    this.#keys = ordered.keys()
  }

  /** Returns the oldest key, which the caller must delete; `undefined` if there is none. */
  take(): K | undefined {
    const next = this.#keys.next()
    if (!next.done) return next.value
    // An iterator that has come to its end does not see what is added later.
    this.#keys = this.#ordered.keys()
    return this.#keys.next().value
  }
}
