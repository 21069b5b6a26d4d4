/** Something that waits for a turn, and the tenant whose turn it uses; `undefined` is a tenant like any other. */
interface Waiting {
  readonly tenant?: string | undefined
}

/** What waits, first come first served. */
class Line<T> {
  /** Slots are cleared as they run: under load, a line may never be empty, and would keep finished streams alive. */
  #slots: (T | undefined)[] = []
  /** Index of the first slot that is still waiting. */
  #next = 0

  get length(): number {
    return this.#slots.length - this.#next
  }

  push(waiting: T): void {
    this.#slots.push(waiting)
  }

  shift(): T | undefined {
    const first = this.#slots[this.#next]
    if (first === undefined) return undefined
    this.#slots[this.#next++] = undefined
    if (this.#next === this.#slots.length) {
      this.#slots = []
      this.#next = 0
    } else if (this.#next > 1024) {
      this.#slots = this.#slots.slice(this.#next)
      this.#next = 0
    }
    return first
  }
}

/** A tenant that has something waiting. */
interface Member<T> {
  readonly tenant: string | undefined
  readonly line: Line<T>
}

/**
 * What waits for turns: the tenants take turns, and what waits for one tenant is first come first served. As long as all that
 * waits is of one tenant, which is so in most processes, there is one line and nothing else.
 */
export class TurnQueue<T extends Waiting> {
  /** The line of the only tenant; unused while several wait. */
  #single = new Line<T>()
  #tenant: string | undefined
  /** The lines of several tenants, which are in the rotation once each; both are empty while only one waits. */
  readonly #lines = new Map<string | undefined, Line<T>>()
  readonly #rotation = new Line<Member<T>>()
  #length = 0

  get length(): number {
    return this.#length
  }

  push(waiting: T): void {
    const { tenant } = waiting
    this.#length++
    if (this.#rotation.length === 0) {
      if (this.#length === 1) this.#tenant = tenant
      if (tenant === this.#tenant) return this.#single.push(waiting)
      this.#add(this.#tenant, this.#single)
    }
    const line = this.#lines.get(tenant) ?? this.#add(tenant, new Line())
    line.push(waiting)
  }

  shift(): T | undefined {
    const next = this.#rotation.shift()
    const first = (next?.line ?? this.#single).shift()
    if (first === undefined) return undefined
    this.#length--
    if (!next) return first
    if (next.line.length > 0) this.#rotation.push(next)
    else this.#remove(next)
    return first
  }

  #add(tenant: string | undefined, line: Line<T>): Line<T> {
    this.#lines.set(tenant, line)
    this.#rotation.push({ tenant, line })
    return line
  }

  #remove({ tenant }: Member<T>): void {
    this.#lines.delete(tenant)
    if (this.#lines.size > 1) return
    const last = this.#rotation.shift()
    if (!last) return
    this.#lines.clear()
    this.#tenant = last.tenant
    this.#single = last.line
  }
}
