/** A member knows where it stands, so that to take it out needs no search. The set alone writes that. */
export interface Indexed {
  index: number
}

/**
 * A set that members pass through by the thousand, in no order.
 *
 * A `Map` or `Set` would make them outlive their time: its table is replaced whenever it is full, and the table that was
 * holds all members of that moment until V8 next collects old garbage, with all that they hold. That costs a middleware
 * as much as the rest of its garbage together.
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

  /** The members of this moment: those that are deleted while one goes through them are among them still. */
  all(): T[] {
    return [...this.#members]
  }
}
