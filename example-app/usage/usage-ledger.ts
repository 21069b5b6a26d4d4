import type { ExchangeRecord } from 'express-ai-proxy'

/** What one user has used of one model. */
export interface UsageRow {
  readonly user: string
  readonly model: string
  /** Requests that the provider answered, also if the client left or the answer was stopped. */
  answers: number
  /** Requests that went to the provider and got an error, or half an answer. */
  failed: number
  /** Requests that got an answer of another's, from the cache. They use nothing. */
  cached: number
  /** Requests that were refused before. */
  refused: number
  inputTokens: number
  outputTokens: number
  /** US dollars; `undefined` if the model has no price. */
  cost: number | undefined
  /** Whether some of it is estimated, because streams ended early. */
  isEstimated: boolean
}

const MAX_MODEL_LENGTH = 100

/** Adds up who used what, since the start of this process. */
export class UsageLedger {
  readonly #rows = new Map<string, UsageRow>()
  readonly #capacity: number

  /** @param capacity how many rows have names of their own: clients choose the models' names */
  constructor(capacity = 200) {
    this.#capacity = capacity
  }

  /** Adds an exchange that has ended. Those that name no model, such as lists of models, use nothing. */
  add(record: ExchangeRecord): void {
    const { subject = '', model, attempts, status = 0, tokens, usage, cost, cache } = record
    if (model === undefined) return
    const row = this.#rowOf(subject, model.slice(0, MAX_MODEL_LENGTH))
    if (cache === 'hit' || cache === 'join') {
      row.cached++
      return
    }
    if (attempts.length > 0) row[isFailure(record) ? 'failed' : 'answers']++
    else if (status >= 400) row.refused++
    if (!tokens) return
    row.inputTokens += tokens.uncachedInput + tokens.cachedInput + tokens.cacheWrite
    row.outputTokens += tokens.visibleOutput + tokens.reasoning
    if (cost !== undefined) row.cost = (row.cost ?? 0) + cost
    if (usage?.estimated) row.isEstimated = true
  }

  /** The rows, in the order of their first use. */
  get rows(): readonly UsageRow[] {
    return [...this.#rows.values()]
  }

  #rowOf(user: string, named: string): UsageRow {
    const isKnown = this.#rows.has(`${user} ${named}`)
    const model = isKnown || this.#rows.size < this.#capacity ? named : 'other models'
    const key = `${user} ${model}`
    const known = this.#rows.get(key)
    if (known) return known
    const none = {
      answers: 0,
      failed: 0,
      cached: 0,
      refused: 0,
      inputTokens: 0,
      outputTokens: 0,
      cost: undefined,
      isEstimated: false,
    }
    const row: UsageRow = { user, model, ...none }
    this.#rows.set(key, row)
    return row
  }
}

function isFailure({ outcome, code }: ExchangeRecord): boolean {
  return outcome !== 'completed' && outcome !== 'client_disconnect' && code !== 'aborted'
}
