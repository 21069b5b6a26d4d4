import { isObject } from './json.js'
import type { Edit, ListItem } from './json-splice.js'

/** So many values are compared, or so many characters written, to find where items of lists have gone. */
const SEARCHED_AT_MOST = 1_000_000

/**
 * The edit that makes of one JSON value what another one says as JSON (`toJSON` is asked, and what JSON has no word for
 * is left out, as `JSON.stringify` does it); `undefined` if both say the same. Only what differs is in it. The order of
 * fields counts, too.
 *
 * The work grows with the size of both values alone, however deep they are.
 *
 * @param before as `JSON.parse` gives it
 * @throws TypeError if the other one cannot be said in JSON: it is a function, contains itself, or a BigInt
 */
export function differenceOf(before: unknown, after: unknown): Edit | undefined {
  const said = plain(after, '')
  if (!isSayable(said)) throw new TypeError(`a ${typeof said} cannot be said in JSON`)
  return new Difference().of(before, said)
}

class Difference {
  #searched = 0

  of(before: unknown, after: unknown): Edit | undefined {
    this.#searched++
    if (Array.isArray(before) && Array.isArray(after)) return this.#list(before, after)
    if (isObject(before) && isObject(after)) return this.#object(before, after)
    return Object.is(before, after) ? undefined : textOf(after)
  }

  #object(before: Record<string, unknown>, after: Record<string, unknown>): Edit | undefined {
    const fields = new Map<string, Edit | undefined>()
    const added = new Map<string, string>()
    const kept: string[] = []
    const names: string[] = []
    let isReordered = false
    let hasAdded = false
    for (const name of Object.keys(after)) {
      const value = plain(after[name], name)
      if (!isSayable(value)) continue
      names.push(name)
      if (!Object.hasOwn(before, name)) {
        added.set(name, textOf(value))
        // Objects have names that look like indexes in front, whenever they were added.
        hasAdded ||= !INDEX.test(name)
        continue
      }
      isReordered ||= hasAdded
      kept.push(name)
      const edit = this.of(before[name], value)
      if (edit !== undefined) fields.set(name, edit)
    }
    let at = 0
    let isKept: Set<string> | undefined
    for (const name of Object.keys(before)) {
      if (name === kept[at]) at++
      else {
        isKept ??= new Set(kept)
        if (isKept.has(name)) isReordered = true
        else fields.set(name, undefined)
      }
    }
    if (isReordered) return { kind: 'object', fields, added, order: names }
    return fields.size + added.size === 0 ? undefined : { kind: 'object', fields, added }
  }

  #list(before: readonly unknown[], after: readonly unknown[]): Edit | undefined {
    const now = Array.from(after, (item, index) => {
      const value = plain(item, String(index))
      return isSayable(value) ? value : null
    })
    const isAsLong = now.length === before.length
    const edits = new Map<number, Edit>()
    const shared = Math.min(now.length, before.length)
    let at = 0
    // What is not as long has probably shifted where it first differs.
    for (; at < shared && (isAsLong || edits.size === 0); at++) {
      const edit = this.of(before[at], now[at])
      if (edit !== undefined) edits.set(at, edit)
    }
    if (isAsLong && edits.size === 0) return undefined
    const first = edits.keys().next().value ?? shared
    const hasMoved = isAsLong ? edits.size > 1 : edits.size > 0
    const from = hasMoved && this.#searched < SEARCHED_AT_MOST ? this.#origins(before, now, first) : undefined
    const items = now.map((value, index): ListItem => {
      const origin = from && index >= first ? from[index - first]! : index < before.length ? index : -1
      if (origin === -1) return textOf(value)
      const isCompared = origin === index && index < at
      const edit = isCompared ? edits.get(index) : this.of(before[origin], value)
      return edit === undefined ? origin : { index: origin, edit }
    })
    return { kind: 'list', items }
  }

  /** For each item from an index on, which one it was before; -1 for one that is new. */
  #origins(before: readonly unknown[], now: readonly unknown[], first: number): number[] {
    const places = new Map<string, number[]>()
    for (let index = before.length - 1; index >= first; index--) {
      const text = this.#searchText(before[index])
      const same = places.get(text)
      if (same) same.push(index)
      else places.set(text, [index])
    }
    const origins = now.slice(first).map((item) => {
      const same = places.get(this.#searchText(item))
      return same?.pop() ?? -1
    })
    // What is left on both sides has probably changed in its place; or stands in another one, behind what came in front.
    const used = new Set(origins)
    const left: number[] = []
    for (let index = first; index < before.length; index++) if (!used.has(index)) left.push(index)
    const fresh: number[] = []
    for (const [index, origin] of origins.entries()) if (origin === -1) fresh.push(index)
    const skipped = fresh[0] === 0 ? Math.max(fresh.length - left.length, 0) : 0
    for (const [at, origin] of left.entries()) {
      const index = fresh[at + skipped]
      if (index !== undefined) origins[index] = origin
    }
    return origins
  }

  #searchText(value: unknown): string {
    const text = textOf(value)
    this.#searched += text.length
    return text
  }
}

const INDEX = /^(?:0|[1-9]\d*)$/

/** A value as `JSON.stringify` takes it where it stands under that name. */
function plain(value: unknown, name: string): unknown {
  let said = value
  if ((typeof said === 'object' && said !== null) || typeof said === 'bigint') {
    const { toJSON } = said as { toJSON?: unknown }
    if (typeof toJSON === 'function') said = toJSON.call(said, name)
  }
  if (said instanceof Number) return Number(said)
  if (said instanceof String) return String(said)
  return said instanceof Boolean ? said.valueOf() : said
}

function isSayable(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol'
}

function textOf(value: unknown): string {
  return JSON.stringify(value)
}
