interface Due<T> {
  readonly at: number
  readonly item: T
}

/** Items by the time at which they are due, the earliest first: a binary heap. */
export class ExpiryQueue<T> {
  #heap: Due<T>[] = []

  get size(): number {
    return this.#heap.length
  }

  add(item: T, at: number): void {
    const heap = this.#heap
    let place = heap.length
    heap.push({ at, item })
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (heap[parent]!.at <= at) break
      this.#swap(place, parent)
      place = parent
    }
  }

  /** Removes and returns the earliest item; `undefined` if none is due. */
  takeDue(now: number): T | undefined {
    const heap = this.#heap
    const [first] = heap
    if (!first || first.at > now) return undefined
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.#sink()
    }
    return first.item
  }

  /** Removes all items. */
  clear(): void {
    this.#heap = []
  }

  #sink(): void {
    const heap = this.#heap
    for (let place = 0; ; ) {
      const [left, right] = [2 * place + 1, 2 * place + 2]
      let least = place
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right
      if (least === place) return
      this.#swap(place, least)
      place = least
    }
  }

  #swap(one: number, other: number): void {
    const heap = this.#heap
    ;[heap[one], heap[other]] = [heap[other]!, heap[one]!]
  }
}
