import type { PolicyExchange } from '../api/policy.js'
import type { ExchangeRecord } from '../api/record.js'
import { AssumedOutput } from '../policies/assumed-output.js'
import { checkedAmount } from './app-amounts.js'
import { inputBySize, tokensFrom } from './estimates.js'
import type { ResolvedQuotaOptions } from './options.js'
import { COST_UNITS, type LimitBucket } from './rules.js'

/** Estimates how many tokens requests may need, and learns from their answers. */
export class RequestNeeds {
  readonly #options: Pick<ResolvedQuotaOptions, 'countInput' | 'assumedOutput'>
  readonly #assumed = new AssumedOutput()

  constructor(options: Pick<ResolvedQuotaOptions, 'countInput' | 'assumedOutput'>) {
    this.#options = options
  }

  /** Returns the input that a request has. Embeddings and rankings generate nothing, and are billed by it. */
  inputOf(exchange: PolicyExchange): number {
    if (!runsModel(exchange)) return 0
    const { countInput } = this.#options
    return Math.ceil(
      countInput ? checkedAmount('what `countInput` returns', countInput(exchange)) : inputBySize(exchange),
    )
  }

  /** Returns the output to expect: the request's own maximum, or else the assumed output. */
  outputOf(exchange: PolicyExchange, buckets: readonly LimitBucket[]): number {
    if (!exchange.generates) return 0
    const { assumedOutput } = this.#options
    const { maxOutputTokens } = exchange
    if (maxOutputTokens !== undefined) return Math.ceil(maxOutputTokens)
    if (typeof assumedOutput === 'number') return Math.ceil(assumedOutput) * exchange.answers
    if (assumedOutput) return Math.ceil(checkedAmount('what `assumedOutput` returns', assumedOutput(exchange)))
    const key = learntBy(buckets)
    return key === undefined ? 0 : this.#assumed.of(key, exchange.model) * exchange.answers
  }

  /**
   * Returns what a request may cost; `undefined` if its model has no price. What costs anything needs something, however little
   * is expected of it: once nothing is left, it must not pass.
   */
  costOf(exchange: PolicyExchange, input: number, output: number): number | undefined {
    if (!runsModel(exchange)) return 0
    const cost = exchange.price(tokensFrom(input, output))
    if (cost !== 0) return cost
    return (exchange.price(tokensFrom(1, 1)) ?? 0) > 0 ? 1 / COST_UNITS : 0
  }

  /** @param answers how many were asked for at once: the output of a single one is learnt */
  learn({ outcome, usage, tokens, model }: ExchangeRecord, buckets: readonly LimitBucket[], answers: number): void {
    if (outcome !== 'completed' || !tokens || usage?.estimated !== false) return
    const key = learntBy(buckets)
    if (key !== undefined) this.#assumed.add(key, model, Math.ceil((tokens.visibleOutput + tokens.reasoning) / answers))
  }
}

/** Whether a request costs anything. */
export function runsModel({ generates, model }: PolicyExchange): boolean {
  return generates || model !== undefined
}

function learntBy(buckets: readonly LimitBucket[]): string | undefined {
  return buckets.find(({ kind }) => kind === 'tokens' || kind === 'cost')?.key
}
