/** A member stores its own index, so that removing it needs no search. Only the set writes the index. */
export interface Indexed {
  index: number
}

/**
 * An unordered set through which thousands of members pass.
 *
 * A `Map` or `Set` promotes its members to V8's old generation: when its table grows, the old table keeps every member
 * alive, with all that it references, until the next major GC. That costs a middleware as much as the rest of its
 * garbage together.
 */
export class IndexedSet<T extends Indexed> {
  readonly #members: T[] = []

  get size(): number {
    return this.#members.length
  }

  has(member: T): boolean {
    return this.#members[member.index] === member
  }

  add(member: T): void {
    if (this.has(member)) return
    member.index = this.#members.push(member) - 1
  }

  delete(member: T): void {
    if (!this.has(member)) return
    const last = this.#members.pop()!
    if (last !== member) {
      this.#members[member.index] = last
      last.index = member.index
    }
    member.index = -1
  }

  /** Returns a snapshot of the members: it keeps those that are deleted during an iteration. */
  all(): T[] {
    return [...this.#members]
  }
}
