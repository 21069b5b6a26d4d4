/** Something that waits for a turn, and the tenant whose turn it uses; `undefined` is a tenant like any other. */
interface Waiting {
  readonly tenant?: string | undefined
}

/** What waits, first come first served. */
class Line<T> {
  /** Slots are cleared as they run. Under load a line may never be empty, and would keep what is finished alive. */
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

/**
 * What waits for turns: the tenants take turns, and what waits for one tenant is first come first served. As long as all that
 * waits is of one tenant, which is so in most processes, there is one line and nothing else.
 */
export class TurnQueue<T extends Waiting> {
  /** The line of the only tenant, unless there are lines of several. */
  readonly #single = new Line<T>()
  #tenant: string | undefined
  /** The lines of several tenants. Each that has something waiting is in the rotation, once. */
  #lines: Map<string | undefined, Line<T>> | undefined
  #rotation: Line<{ readonly tenant: string | undefined; readonly line: Line<T> }> | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  push(waiting: T): void {
    const { tenant } = waiting
    this.#length++
    if (!this.#lines) {
      if (this.#length === 1) this.#tenant = tenant
      if (tenant === this.#tenant) return this.#single.push(waiting)
      this.#split()
    }
    this.#pushTo(tenant, waiting)
  }

  shift(): T | undefined {
    if (!this.#rotation) {
      const first = this.#single.shift()
      if (first !== undefined) this.#length--
      return first
    }
    const next = this.#rotation.shift()
    const first = next?.line.shift()
    if (!next || first === undefined) return undefined
    this.#length--
    if (next.line.length > 0) this.#rotation.push(next)
    else this.#lines?.delete(next.tenant)
    if (this.#length === 0) this.#lines = this.#rotation = undefined
    return first
  }

  /** A second tenant waits: each gets a line of its own. */
  #split(): void {
    this.#lines = new Map()
    this.#rotation = new Line()
    for (let first = this.#single.shift(); first !== undefined; first = this.#single.shift()) {
      this.#pushTo(this.#tenant, first)
    }
  }

  #pushTo(tenant: string | undefined, waiting: T): void {
    let line = this.#lines?.get(tenant)
    if (!line) {
      line = new Line()
      this.#lines?.set(tenant, line)
      this.#rotation?.push({ tenant, line })
    }
    line.push(waiting)
  }
}
