import type { Journal } from '../api/journal.js'
import { isObject, tryParseJson } from '../json/json.js'
import { catchRejection } from '../util/promises.js'

/** How long an answer may take: a second id is made when it begins, and the window follows its end. */
const ANSWER_MS = 60 * 60_000

/** What a client's own id of an answer leads to. */
export interface StreamAlias {
  /** The journal's id of the answer. */
  readonly entry: string
  /** Who may use it. */
  readonly reader: string
  /** That client does not get the event that only reports usage. */
  readonly hidesUsage: boolean
}

/** Gives an answer a second id, for a client that shares it, or that was given an id before there was an answer. */
export function putAlias(journal: Journal, id: string, alias: StreamAlias, windowMs: number): void {
  // The store reports its failures itself.
  catchRejection(journal.put(nameOf(id), JSON.stringify(alias), windowMs + ANSWER_MS), () => {})
}

/** Finds what a second id leads to. */
export async function readAlias(journal: Journal, id: string): Promise<StreamAlias | undefined> {
  const alias = tryParseJson((await journal.get(nameOf(id))) ?? '')
  return isObject(alias) && typeof alias.entry === 'string' ? (alias as unknown as StreamAlias) : undefined
}

function nameOf(id: string): string {
  return `s:${id}`
}
