/** Tokens that a tenant of weight 1 may begin in a round. */
const QUANTUM = 1000

interface Line<T> {
  readonly tenant: string
  readonly weight: number
  readonly items: { readonly item: T; readonly cost: number }[]
  /** Tokens that it may begin. Below 0 if its requests cost more than was expected. */
  deficit: number
  /** It is being visited, and has had its tokens for this round. */
  isVisited: boolean
}

/**
 * What waits, by tenants: deficit round robin (Shreedhar and Varghese, 1995). In each round each tenant may begin requests of so
 * many tokens, by its weight; what it does not use it keeps while it has something waiting. Within a tenant it is first come
 * first served.
 */
export class FairQueue<T> {
  /** In the order of the round; the first is next. */
  #round: Line<T>[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Returns how many wait by tenant. */
  byTenant(): ReadonlyMap<string, number> {
    return new Map(this.#round.map(({ tenant, items }) => [tenant, items.length]))
  }

  /**
   * @param cost in tokens
   * @param weight above 0; that of the tenant's first item counts until none of its items waits
   */
  push(tenant: string, item: T, cost: number, weight: number): void {
    let line = this.#round.find((each) => each.tenant === tenant)
    if (!line) {
      line = { tenant, weight, items: [], deficit: 0, isVisited: false }
      this.#round.push(line)
    }
    line.items.push({ item, cost: Math.max(1, cost) })
    this.#length++
  }

  /** Removes an item that waits. @returns whether it did */
  remove(tenant: string, item: T): boolean {
    const line = this.#round.find((each) => each.tenant === tenant)
    const at = line?.items.findIndex((each) => each.item === item) ?? -1
    if (!line || at < 0) return false
    this.#take(line, at)
    return true
  }

  /**
   * Returns what has to go if too many wait: the item that came last of the tenant that has most waiting for its weight. One
   * tenant alone must not take all the room.
   *
   * @param tenant is taken of those that have equally many
   */
  surplus(tenant: string): T | undefined {
    const most = this.#round.reduce<Line<T> | undefined>(
      (found, line) => (found && crowdOf(line) <= crowdOf(found) ? found : line),
      this.#round.find((each) => each.tenant === tenant),
    )
    return most?.items.at(-1)?.item
  }

  /**
   * Takes the next item of those that can run. One that cannot keeps its place, and holds up nobody.
   *
   * @returns `undefined` if none can
   */
  shift(canRun: (item: T) => boolean): T | undefined {
    const ready = new Map<Line<T>, number>()
    for (const line of this.#round) {
      const at = line.items.findIndex(({ item }) => canRun(item))
      if (at >= 0) ready.set(line, at)
    }
    if (ready.size === 0) return undefined
    for (let visits = 0; ; visits++) {
      // Nobody can begin in this round: go on to the first in which somebody can.
      if (visits === this.#round.length) skipRounds(ready)
      const line = this.#round[0]!
      const at = ready.get(line)
      if (at !== undefined) {
        visit(line)
        const { cost } = line.items[at]!
        if (line.deficit >= cost) {
          line.deficit -= cost
          return this.#take(line, at)
        }
      }
      line.isVisited = false
      this.#round.push(this.#round.shift()!)
    }
  }

  /** Charges a tenant for what a request used beyond its cost, if it still has something waiting. */
  charge(tenant: string, tokens: number): void {
    const line = this.#round.find((each) => each.tenant === tenant)
    if (line) line.deficit -= tokens
  }

  #take(line: Line<T>, at: number): T {
    const { item } = line.items[at]!
    line.items.splice(at, 1)
    this.#length--
    // A tenant that has nothing waiting is forgotten, with what it did not use.
    if (line.items.length === 0) this.#round = this.#round.filter((each) => each !== line)
    return item
  }
}

function crowdOf<T>({ items, weight }: Line<T>): number {
  return items.length / weight
}

/** Gives a line its tokens for a round, once. */
function visit<T>(line: Line<T>): void {
  if (line.isVisited) return
  line.isVisited = true
  line.deficit += QUANTUM * line.weight
}

function skipRounds<T>(ready: ReadonlyMap<Line<T>, number>): void {
  const lacking = [...ready].map(([line, at]) => {
    const missing = line.items[at]!.cost - line.deficit
    return Math.ceil(missing / (QUANTUM * line.weight))
  })
  const rounds = Math.max(0, Math.min(...lacking) - 1)
  for (const line of ready.keys()) line.deficit += rounds * QUANTUM * line.weight
}
