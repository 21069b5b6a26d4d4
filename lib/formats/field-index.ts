/** Paths of one or two names, and what is at them: a search looks up each first name once, and most are not there. */
export class FieldIndex {
  readonly #innerNames = new Map<string, (string | undefined)[]>()

  /** @param paths each of one or two names */
  constructor(paths: readonly (readonly string[])[]) {
    for (const [first, second] of paths) {
      if (first === undefined) continue
      const names = this.#innerNames.get(first)
      if (names) names.push(second)
      else this.#innerNames.set(first, [second])
    }
  }

  /** Returns the values at the paths that an object has. */
  valuesIn(object: unknown): unknown[] {
    const values: unknown[] = []
    if (typeof object !== 'object' || object === null) return values
    for (const [name, innerNames] of this.#innerNames) {
      if (!Object.hasOwn(object, name)) continue
      const value = (object as Record<string, unknown>)[name]
      for (const inner of innerNames) {
        if (inner === undefined) values.push(value)
        else if (typeof value === 'object' && value !== null && Object.hasOwn(value, inner)) {
          values.push((value as Record<string, unknown>)[inner])
        }
      }
    }
    return values
  }
}
