import type { PolicyExchange } from '../api/policy.js'
import { AttemptEntry } from '../exchange/attempts.js'
import type { Exchange } from '../exchange/exchange.js'
import { ExchangeView } from '../exchange/exchange-view.js'
import { canGenerate, requestedAnswers, requestedOutput, type Tokens, tokensOf } from '../formats/index.js'
import type { Config } from '../options/config.js'
import { HookFault } from '../options/hook-errors.js'
import { shown } from '../util/shown.js'
import type { Capacity } from './capacity.js'

/** A request as it will go out, as far as policies are concerned. */
export interface AdmittedRequest {
  readonly json: unknown
  /** Bytes of its body; `undefined` if it passes unbuffered. */
  readonly bytes: number | undefined
  /** The provider's path, with the target's prefix. */
  readonly whole: string
  /** Its answer has been written before, and its usage recorded: nothing of it is charged once more. */
  readonly isCharged?: boolean
}

/** A target, and the model that it is asked for. */
export interface AskedModel {
  readonly target: string
  readonly model: string | undefined
}

/** What policies can ask of the exchange's surroundings. */
export interface PolicyEnvironment {
  readonly config: Config
  readonly capacity: Capacity
  /** What may be asked before anything is: each target, with its own name of the model. */
  mayAsk(): readonly AskedModel[]
  /** The client is about to wait. */
  keepsWaiting(): void
  /** @param generatedTokens from how many on each event is checked */
  watchFrom(generatedTokens: number): void
  /** Pauses the answer. @returns a function that resumes it */
  pause(): () => void
}

/** An exchange as policies see it: one object for all of them. */
export class PolicyView extends ExchangeView implements PolicyExchange {
  readonly body: unknown
  readonly generates: boolean
  readonly #of: Exchange
  readonly #bytes: number | undefined
  readonly #whole: string
  readonly #isCharged: boolean
  readonly #environment: PolicyEnvironment

  constructor(exchange: Exchange, request: AdmittedRequest, environment: PolicyEnvironment) {
    super(exchange)
    this.body = request.json
    this.generates = exchange.client.method === 'POST' && canGenerate(request.whole, exchange.format)
    this.#of = exchange
    this.#bytes = request.bytes
    this.#whole = request.whole
    this.#isCharged = request.isCharged === true
    this.#environment = environment
  }

  /** Nothing more can be decided about it. */
  get isOver(): boolean {
    return this.#of.isSettled
  }

  get requestBytes(): number {
    return this.#bytes ?? this.#of.traffic.requestBytes
  }

  get maxOutputTokens(): number | undefined {
    const { format, limits } = this.#of
    const asked = requestedOutput(this.body, format, this.#environment.config.origin + this.#whole)
    const most = Math.min(asked ?? Number.POSITIVE_INFINITY, limits.maxOutputTokens)
    return most === Number.POSITIVE_INFINITY ? undefined : most
  }

  get generatedTokens(): number {
    return this.#isCharged ? 0 : this.#of.answer.generatedTokens
  }

  get tokens(): Tokens | undefined {
    return this.#isCharged ? undefined : this.#of.answer.tokensAt(false, this.#of.format.counting)
  }

  get reportedTokens(): Tokens | undefined {
    const { answer, format } = this.#of
    const reported = answer.billed ?? answer.usage
    return reported && !this.#isCharged ? tokensOf(reported, format.counting) : undefined
  }

  get answers(): number {
    return requestedAnswers(this.body)
  }

  price(tokens: Tokens): number | undefined {
    const { current } = this.#of.attempts
    if (current) return this.#priceAt(current, tokens)
    // Which target is asked is not known yet: none of them must cost more.
    const { config, mayAsk } = this.#environment
    const costs = config.costOf ? mayAsk().map((asked) => this.#priceAt(asked, tokens)) : []
    if (costs.length === 0) return undefined
    return costs.reduce((most, cost) => (most === undefined || cost === undefined ? undefined : Math.max(most, cost)))
  }

  #priceAt({ target, model: asked }: AskedModel, tokens: Tokens): number | undefined {
    const { model, path, asksForStream: stream, format, subject, answer } = this.#of
    return this.#environment.config.costOf?.({
      model,
      responseModel: answer.model,
      target,
      attempts: [new AttemptEntry(target, asked, false).record(undefined)],
      format: format.name,
      path,
      stream,
      subject: subject?.id,
      tenant: subject?.tenant,
      tokens,
      usage: undefined,
    }).cost
  }

  watchFrom(generatedTokens: number): void {
    // It would take away the bounds of all other policies.
    if (typeof generatedTokens !== 'number' || Number.isNaN(generatedTokens)) {
      throw new HookFault(`watchFrom takes a number of tokens, not ${shown(generatedTokens)}`)
    }
    this.#environment.watchFrom(generatedTokens)
  }

  pause(): () => void {
    return this.#environment.pause()
  }

  get isBoundByTargets(): boolean {
    return this.#environment.capacity.isBounded
  }

  hasCapacity(): boolean {
    return this.#environment.capacity.has()
  }

  holdCapacity(): void {
    this.#environment.capacity.hold()
  }

  onCapacity(callback: () => void): () => void {
    return this.#environment.capacity.onMore(callback)
  }

  keepsWaiting(): void {
    this.#environment.keepsWaiting()
  }
}
