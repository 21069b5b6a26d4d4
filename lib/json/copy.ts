import type { IncrementalTask } from '../util/incremental-task.js'

/** Copying this many takes a few milliseconds. */
const VALUES_PER_STEP = 20_000

/**
 * Copies a value that `JSON.parse` made. The copy shares its strings, so that comparing them later takes no time,
 * however long they are.
 */
export function* copyIncrementally(value: unknown): IncrementalTask<unknown> {
  const root: unknown[] = []
  const pending: [source: object, target: object][] = [[[value], root]]
  const shell = (each: unknown): unknown => {
    if (typeof each !== 'object' || each === null) return each
    const target = Array.isArray(each) ? [] : {}
    pending.push([each, target])
    return target
  }
  let values = 0
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [source, target] = next
    for (const [key, each] of entriesOf(source)) {
      if (Array.isArray(target)) target.push(shell(each))
      else define(target, key, shell(each))
      if (++values % VALUES_PER_STEP === 0) yield
    }
  }
  return root[0]
}

/** Yields one entry at a time, because an array of all of them may be long. */
function* entriesOf(source: object): Generator<[string, unknown]> {
  if (Array.isArray(source)) for (const item of source) yield ['', item]
  else for (const key of Object.keys(source)) yield [key, source[key as keyof typeof source]]
}

/** Sets a field. `__proto__` must become a field like any other, not the object's prototype. */
function define(target: object, key: string, value: unknown): void {
  if (key !== '__proto__') (target as Record<string, unknown>)[key] = value
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}
