import type { Edit, ListItem } from './apply-edit.js'
import { isObject } from './json.js'

/** Limit for finding where list items have moved: values compared plus characters serialized. */
const MAX_SEARCH_COST = 200_000

/**
 * Computes the edit that turns one JSON value into what another value serializes to, by the rules of `JSON.stringify`:
 * `toJSON` is called, and what JSON cannot represent is left out. Returns `undefined` if both are the same. The edit
 * contains only what differs. The order of fields counts too.
 *
 * The cost is linear in the size of both values, however deep they are.
 *
 * @param before as `JSON.parse` returns it
 * @throws TypeError if the other value cannot be represented in JSON: it is a function or a BigInt, or contains itself
 */
export function diffJson(before: unknown, after: unknown): Edit | undefined {
  const target = toSerializable(after, '')
  if (!isSerializable(target)) throw new TypeError(`a ${typeof target} cannot be represented in JSON`)
  return new Difference().of(before, target)
}

class Difference {
  #searchCost = 0

  of(before: unknown, after: unknown): Edit | undefined {
    if (typeof before !== 'object' || before === null) return Object.is(before, after) ? undefined : serialize(after)
    if (Array.isArray(before)) return Array.isArray(after) ? this.#list(before, after) : serialize(after)
    return isObject(after) ? this.#object(before as Record<string, unknown>, after) : serialize(after)
  }

  #object(before: Record<string, unknown>, after: Record<string, unknown>): Edit | undefined {
    const names = Object.keys(after)
    const were = Object.keys(before)
    if (names.length !== were.length || names.some((name, at) => name !== were[at])) {
      return this.#changedFields(before, after, were, names)
    }
    let fields: Map<string, Edit | undefined> | undefined
    for (const name of names) {
      const value = toSerializable(after[name], name)
      const edit = isSerializable(value) ? this.of(before[name], value) : undefined
      if (edit === undefined && isSerializable(value)) continue
      fields ??= new Map()
      fields.set(name, edit)
    }
    return fields && { kind: 'object', fields, added: new Map() }
  }

  /** Compares objects whose fields differ, or are in another order. */
  #changedFields(
    before: Record<string, unknown>,
    after: Record<string, unknown>,
    were: readonly string[],
    given: readonly string[],
  ): Edit | undefined {
    const fields = new Map<string, Edit | undefined>()
    const added = new Map<string, string>()
    const kept = new Set<string>()
    const names: string[] = []
    let isReordered = false
    let hasAdded = false
    for (const name of given) {
      const value = toSerializable(after[name], name)
      if (!isSerializable(value)) continue
      names.push(name)
      if (!Object.hasOwn(before, name)) {
        added.set(name, serialize(value))
        // Objects list names that look like array indexes first, whenever they were added.
        hasAdded ||= !INDEX.test(name)
        continue
      }
      isReordered ||= hasAdded
      kept.add(name)
      const edit = this.of(before[name], value)
      if (edit !== undefined) fields.set(name, edit)
    }
    const order = kept.values()
    for (const name of were) {
      if (!kept.has(name)) fields.set(name, undefined)
      else if (name !== order.next().value) isReordered = true
    }
    if (isReordered) return { kind: 'object', fields, added, order: names }
    return fields.size + added.size === 0 ? undefined : { kind: 'object', fields, added }
  }

  #list(before: readonly unknown[], after: readonly unknown[]): Edit | undefined {
    const isAsLong = after.length === before.length
    const shared = Math.min(after.length, before.length)
    let first = 0
    let edit: Edit | undefined
    while (first < shared) {
      edit = this.of(before[first], itemAt(after, first))
      if (edit !== undefined) break
      first++
    }
    if (edit === undefined) return isAsLong ? undefined : this.#items(before, after, shared, new Map(), shared)
    const edits = new Map([[first, edit]])
    let compared = first + 1
    // If the lengths differ, items have probably shifted from the first difference on.
    for (; compared < shared && isAsLong; compared++) {
      const further = this.of(before[compared], itemAt(after, compared))
      if (further !== undefined) edits.set(compared, further)
    }
    return this.#items(before, after, first, edits, compared)
  }

  /**
   * @param first index of the first item that differs
   * @param edits for items that were compared in place
   * @param compared number of items compared in place
   */
  #items(
    before: readonly unknown[],
    after: readonly unknown[],
    first: number,
    edits: ReadonlyMap<number, Edit>,
    compared: number,
  ): Edit {
    const isAsLong = after.length === before.length
    const hasMoved = isAsLong ? edits.size > 1 : edits.size > 0
    const from = hasMoved ? this.#origins(before, after, first) : undefined
    const items: ListItem[] = []
    for (let index = 0; index < after.length; index++) {
      const origin = index < first || !from ? (index < before.length ? index : -1) : from[index - first]!
      if (origin === -1) {
        items.push(serialize(itemAt(after, index)))
        continue
      }
      const isCompared = origin === index && index < compared
      const edit = isCompared ? edits.get(index) : this.of(before[origin], itemAt(after, index))
      if (edit !== undefined) items.push({ index: origin, edit })
      else append(items, origin)
    }
    return { kind: 'list', items }
  }

  /** Maps each item from an index on to its earlier index; -1 for new items. */
  #origins(before: readonly unknown[], after: readonly unknown[], first: number): number[] | undefined {
    let [wasEnd, isEnd] = [before.length, after.length]
    while (wasEnd > first && isEnd > first && this.#isSame(before[wasEnd - 1], itemAt(after, isEnd - 1))) {
      wasEnd--
      isEnd--
    }
    const origins = this.#matchingItems(before.slice(first, wasEnd), after.slice(first, isEnd))
    if (!origins) return undefined
    // Unmatched items on both sides have probably changed in place, or moved after items inserted in front.
    const used = new Set(origins)
    const left: number[] = []
    for (let index = 0; index < wasEnd - first; index++) if (!used.has(index)) left.push(index)
    const fresh: number[] = []
    for (const [index, origin] of origins.entries()) if (origin === -1) fresh.push(index)
    const skipped = fresh[0] === 0 ? Math.max(fresh.length - left.length, 0) : 0
    for (const [at, origin] of left.entries()) {
      const index = fresh[at + skipped]
      if (index !== undefined) origins[index] = origin
    }
    const all = origins.map((origin) => (origin === -1 ? -1 : origin + first))
    for (let index = wasEnd; index < before.length; index++) all.push(index)
    return all
  }

  /** Maps each item to the index of an equal one; `undefined` if there are too many to search. */
  #matchingItems(before: readonly unknown[], after: readonly unknown[]): number[] | undefined {
    const none = () => after.map(() => -1)
    if (before.length === 0 || after.length === 0 || (before.length === 1 && after.length === 1)) return none()
    const places = new Map<string, number[]>()
    for (let index = before.length - 1; index >= 0; index--) {
      const text = this.#searchText(before[index])
      if (text === undefined) return undefined
      const same = places.get(text)
      if (same) same.push(index)
      else places.set(text, [index])
    }
    const origins: number[] = []
    for (let index = 0; index < after.length; index++) {
      const text = this.#searchText(itemAt(after, index))
      if (text === undefined) return undefined
      origins.push(places.get(text)?.pop() ?? -1)
    }
    return origins
  }

  #searchText(value: unknown): string | undefined {
    if (this.#searchCost > MAX_SEARCH_COST) return undefined
    const text = serialize(value)
    // Even a short text costs as much as a few letters.
    this.#searchCost += text.length + 16
    return text
  }

  /** Returns whether both values are equal; also `false` if finding out would take too long. */
  #isSame(before: unknown, after: unknown): boolean {
    if (typeof before !== 'object' || before === null) return Object.is(before, after)
    if (Array.isArray(before)) {
      if (!Array.isArray(after) || before.length !== after.length || !this.#chargeSearch(before.length)) return false
      return before.every((item, index) => this.#isSame(item, itemAt(after, index)))
    }
    if (!isObject(after)) return false
    const was = before as Record<string, unknown>
    const names = Object.keys(was)
    const are = Object.keys(after)
    if (names.length !== are.length || !this.#chargeSearch(names.length)) return false
    return names.every((name, at) => name === are[at] && this.#isSame(was[name], toSerializable(after[name], name)))
  }

  #chargeSearch(values: number): boolean {
    this.#searchCost += values + 1
    return this.#searchCost <= MAX_SEARCH_COST
  }
}

/** Appends an item; adjacent items form one run. */
function append(items: ListItem[], index: number): void {
  const last = items.at(-1)
  if (typeof last === 'object' && 'to' in last && last.to === index) last.to = index + 1
  else items.push({ from: index, to: index + 1 })
}

const INDEX = /^(?:0|[1-9]\d*)$/

/** Converts a value as `JSON.stringify` does for a field of that name. */
function toSerializable(value: unknown, name: string | number): unknown {
  // An app may have defined `toJSON` on BigInt.
  if ((typeof value !== 'object' && typeof value !== 'bigint') || value === null) return value
  const { toJSON } = value as { toJSON?: unknown }
  const result = typeof toJSON === 'function' ? toJSON.call(value, String(name)) : value
  if (typeof result !== 'object' || result === null) return result
  if (result instanceof Number) return Number(result)
  if (result instanceof String) return String(result)
  return result instanceof Boolean ? result.valueOf() : result
}

/** Returns a list item; `null` if JSON cannot represent it, as in `JSON.stringify`. */
function itemAt(list: readonly unknown[], index: number): unknown {
  const value = toSerializable(list[index], index)
  return isSerializable(value) ? value : null
}

function isSerializable(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol'
}

function serialize(value: unknown): string {
  return JSON.stringify(value)
}
