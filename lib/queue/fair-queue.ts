/** Tokens that a tenant of weight 1 may begin in a round. */
const QUANTUM = 1000

/** Tenants whose debts are known at once; the oldest debt goes. */
const MAX_DEBTS = 10_000

interface Line<T> {
  readonly tenant: string
  readonly weight: number
  readonly items: { readonly item: T; readonly cost: number }[]
  /** Tokens that it may begin. Below 0 if its requests cost more than was expected. */
  deficit: number
  /** It is being visited, and has had its tokens for this round. */
  isVisited: boolean
}

/** What a tenant that has nothing waiting has used beyond what it could begin. */
interface Debt {
  readonly tokens: number
  readonly weight: number
  /** The round in which it was noted. */
  readonly since: number
}

/**
 * What waits, by tenants: deficit round robin (Shreedhar and Varghese, 1995). In each round each tenant may begin requests of so
 * many tokens, by its weight; what it does not use it keeps while it has something waiting. What it used beyond that it owes,
 * also while it has nothing waiting, as long as others have. Within a tenant it is first come first served.
 */
export class FairQueue<T> {
  /** In the order of the round; the first is next. */
  #round: Line<T>[] = []
  #length = 0
  readonly #debts = new Map<string, Debt>()
  /** Rounds that have passed. */
  #rounds = 0

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
      line = { tenant, weight, items: [], deficit: -this.#owedBy(tenant), isVisited: false }
      this.#debts.delete(tenant)
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
   * Takes the next item of those that can run. One that cannot run keeps its place, and delays no other.
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
      // Nobody can begin in this round: skip to the first round in which somebody can.
      if (visits === this.#round.length) this.#rounds += skipRounds(ready)
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
      this.#rounds += 1 / this.#round.length
    }
  }

  /**
   * Charges a tenant for what a request used beyond its cost. If nothing waits, the tenant took nothing from others, and is not charged.
   *
   * @param weight the tenant's
   */
  charge(tenant: string, tokens: number, weight: number): void {
    const line = this.#round.find((each) => each.tenant === tenant)
    if (line) line.deficit -= tokens
    else if (this.#length > 0) this.#owe(tenant, this.#owedBy(tenant) + tokens, weight)
  }

  #owe(tenant: string, tokens: number, weight: number): void {
    this.#debts.delete(tenant)
    if (tokens <= 0) return
    this.#debts.set(tenant, { tokens, weight, since: this.#rounds })
    if (this.#debts.size <= MAX_DEBTS) return
    const [oldest] = this.#debts.keys()
    if (oldest !== undefined) this.#debts.delete(oldest)
  }

  /** In each round a tenant pays what it could have begun. */
  #owedBy(tenant: string): number {
    const debt = this.#debts.get(tenant)
    return debt ? Math.max(0, debt.tokens - (this.#rounds - debt.since) * QUANTUM * debt.weight) : 0
  }

  #take(line: Line<T>, at: number): T {
    const { item } = line.items[at]!
    line.items.splice(at, 1)
    this.#length--
    // A tenant that has nothing waiting is forgotten, with what it did not use, but not what it owes to those who wait.
    if (line.items.length === 0) {
      this.#round = this.#round.filter((each) => each !== line)
      this.#owe(line.tenant, -line.deficit, line.weight)
    }
    if (this.#length === 0) this.#debts.clear()
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

/** @returns how many were skipped */
function skipRounds<T>(ready: ReadonlyMap<Line<T>, number>): number {
  const lacking = [...ready].map(([line, at]) => {
    const missing = line.items[at]!.cost - line.deficit
    return Math.ceil(missing / (QUANTUM * line.weight))
  })
  const rounds = Math.max(0, Math.min(...lacking) - 1)
  for (const line of ready.keys()) line.deficit += rounds * QUANTUM * line.weight
  return rounds
}
