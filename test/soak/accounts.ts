import { Attempts, type ToldAttempt, textOf } from './attempts.js'

/** The accounts of a soak: what has begun, how it should end, and what the proxy has reported. */
export class Accounts {
  begun = 0
  /** Records by outcome. */
  readonly ends = new Map<string, number>()
  /** Exchanges begun, by kind. */
  readonly kinds = new Map<string, number>()
  readonly faults = { double: 0, unknown: 0, 'wrong end': 0, 'client saw something else': 0 }
  readonly attempts = new Attempts()
  /** Descriptions of the first problems. */
  readonly examples: string[] = []

  readonly #open = new Map<string, { expected: string; told: () => void }>()
  readonly #closed = new Set<string>()

  /** @returns a promise of its record */
  begin(kind: string, id: string, expected: string): Promise<void> {
    this.begun++
    add(this.kinds, kind)
    return new Promise((told) => this.#open.set(id, { expected, told }))
  }

  record(id: string, end: string, attempts: readonly ToldAttempt[]): void {
    add(this.ends, end)
    const entry = this.#open.get(id)
    if (!entry) return this.#fault(this.#closed.has(id) ? 'double' : 'unknown', `${id}: ${end}`)
    this.#open.delete(id)
    this.#closed.add(id)
    this.attempts.record(id, attempts)
    if (end !== entry.expected)
      this.#fault('wrong end', `${id}: ${end}, not ${entry.expected}; attempts: ${textOf(attempts)}`)
    entry.told()
  }

  /** Notes that the client did not see what it should. */
  disappoint(id: string, why: unknown): void {
    this.#fault('client saw something else', `${id}: ${String(why).split('\n', 1)[0]}`)
  }

  get recorded(): number {
    return [...this.ends.values()].reduce((sum, count) => sum + count, 0)
  }

  /** Exchanges without a record: in progress, or lost if everything is over. */
  get open(): string[] {
    return [...this.#open.keys()]
  }

  #fault(kind: keyof typeof this.faults, what: string): void {
    this.faults[kind]++
    if (this.examples.length < 20) this.examples.push(`${kind}: ${what}`)
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
