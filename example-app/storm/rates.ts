/** How often things happened of late, per second, from counts that only grow. */
export class Rates<Name extends string> {
  readonly #names: readonly Name[]
  readonly #windowMs: number
  readonly #counts: { at: number; counts: Record<Name, number> }[] = []

  /** @param windowMs over how long the rates are averaged, in milliseconds */
  constructor(names: readonly Name[], windowMs: number) {
    this.#names = names
    this.#windowMs = windowMs
  }

  /** Notes the counts at a time, in milliseconds. @returns the rates of the time since the window began */
  add(at: number, counts: Readonly<Record<Name, number>>): Record<Name, number> {
    this.#counts.push({ at, counts: { ...counts } })
    while (this.#counts.length > 2 && this.#counts[1]!.at <= at - this.#windowMs) this.#counts.shift()
    const since = this.#counts[0]!
    const seconds = (at - since.at) / 1000
    const rates = this.#names.map((name) => [name, seconds > 0 ? (counts[name] - since.counts[name]) / seconds : 0])
    return Object.fromEntries(rates) as Record<Name, number>
  }
}
