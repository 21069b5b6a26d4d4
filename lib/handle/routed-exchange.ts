import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { ExchangeRecord } from '../api/record.js'
import type { Exchange } from '../exchange/exchange.js'
import { isInMemory } from '../request/body-bytes.js'
import type { Edited } from '../request/edit.js'
import type { ProviderPath } from '../request/provider-path.js'
import { isAwaited } from '../response/disconnect.js'
import type { ResponseController } from '../response/response-controller.js'
import { type AttemptFailure, judge } from '../routing/failure.js'
import { type NextStep, nextStep } from '../routing/next-step.js'
import type { Route } from '../routing/router.js'
import type { TargetState } from '../routing/target-state.js'
import { debug } from '../util/debug.js'
import { warn } from '../util/warn.js'
import type { ProxyContext } from './context.js'
import { prepareAttempt } from './prepare-attempt.js'
import { type AttemptCallbacks, TargetAttempt } from './target-attempt.js'
import type { PooledTarget, TargetPool } from './target-pool.js'

/**
 * Asks one target after another until an answer can go to the client. From then on, the client has seen a beginning,
 * and nothing is tried again.
 */
export class RoutedExchange implements AttemptCallbacks {
  readonly #path: ProviderPath
  /** Released as soon as nothing is sent any more: an exchange may last for half an hour. */
  #edited: Edited | undefined
  readonly #exchange: Exchange
  readonly #controller: ResponseController
  readonly #context: ProxyContext
  readonly #pool: TargetPool
  #route: Route | undefined
  readonly #tried: TargetState[] = []
  /** Number of waits before the same target was asked again. */
  #backoffs = 0
  #observed: readonly Readonly<Record<string, string>>[] = []
  #running: readonly TargetAttempt[] = []
  /** The attempt whose answer the client gets. */
  #served: TargetAttempt | undefined
  /** Failed attempts in which the provider said something itself, which may still arrive. */
  #speaking: readonly TargetAttempt[] = []
  #firstFailure: { readonly error: AiProxyError; readonly attempt: TargetAttempt } | undefined
  /** An answer without content, which goes out if the attempts under way fail. */
  #parked: { readonly attempt: TargetAttempt; readonly response: IncomingMessage } | undefined
  #startedAt = 0
  #triesLeft: number
  #hedgesLeft: number
  #isEnded = false

  constructor(
    path: ProviderPath,
    edited: Edited,
    exchange: Exchange,
    controller: ResponseController,
    context: ProxyContext,
    pool: TargetPool,
  ) {
    this.#path = path
    this.#edited = edited
    this.#exchange = exchange
    this.#controller = controller
    this.#context = context
    this.#pool = pool
    const { retry, hedge } = pool.routing
    const { content } = edited.body
    // What streams through can be sent only once.
    const canRepeat = content === undefined || isInMemory(content)
    this.#triesLeft = canRepeat ? retry.attempts : 1
    this.#hedgesLeft = hedge?.max ?? 0
  }

  /** @throws AiProxyError if no target can serve the request */
  start(): void {
    const exchange = this.#exchange
    const route = this.#pool.choose(exchange, this.#path, this.#editedRequest().body.json)
    const first = this.#pool.at(route.order[0]!)
    this.#route = route
    this.#observed = this.#context.observers.onRequest(exchange, first.config.origin)
    // Each attempt has timers of its own.
    exchange.deadlines.stop('firstByte')
    exchange.deadlines.stop('firstToken')
    exchange.onEnd = this.#conclude
    this.#controller.upstream = this
    if (exchange.asksForStream && this.#context.config.heartbeat.beforeFirstByte) this.#controller.sendEarlyHeaders()
    this.#startedAt = performance.now()
    this.#launch(first)
  }

  get isUnderWay(): boolean {
    const isAnswered = this.#served !== undefined || this.#parked !== undefined
    return isAnswered || this.#running.some((attempt) => attempt.isUnderWay)
  }

  /** While another attempt is under way, the first content wins: an answer that has none waits until that has failed. */
  onReady(attempt: TargetAttempt, response: IncomingMessage): void {
    const others = this.#running.filter((each) => each !== attempt)
    if (others.length === 0 || attempt.hasContent || attempt.isPastBounds) return this.#commit(attempt, response)
    this.#running = others
    if (this.#parked) attempt.abandon('outrun')
    else this.#parked = { attempt, response }
  }

  /** The status can go out, and heartbeats. The content is not there yet, so it may still be another target's. */
  onSilence(): void {
    if (this.#exchange.asksForStream) this.#controller.sendEarlyHeaders()
  }

  onFailure(
    attempt: TargetAttempt,
    failure: AttemptFailure | undefined,
    error: AiProxyError,
    response?: IncomingMessage,
  ): void {
    const { id } = this.#exchange
    const { name } = attempt.pooled.target
    debug.upstream('%s %s failed: %s', id, name, error.message)
    this.#running = this.#running.filter((each) => each !== attempt)
    if (this.#isEnded) return attempt.end()
    if (!isAwaited(this.#exchange)) {
      attempt.end()
      return this.#failUnawaited(error)
    }
    if (!failure) return this.#controller.fail(error)
    const verdict = judge(failure)
    if (verdict.cooling === 'credentials') this.#warnOfRefusal(attempt, failure)
    attempt.pooled.state.fail(verdict, failure)
    attempt.hasFailed = true
    // The other attempt may still succeed.
    const isLast = this.#running.length === 0
    if (isLast && this.#parked) {
      attempt.end()
      return this.#commit(this.#parked.attempt, this.#parked.response)
    }
    this.#firstFailure ??= { error, attempt }
    const speaks = response !== undefined || attempt.said !== undefined
    const step = isLast ? this.#nextStep(attempt, failure) : undefined
    if (response && step?.do === 'give-up' && this.#speaking.length === 0) return this.#commit(attempt, response)
    if (response) attempt.keep(response)
    if (speaks) this.#speaking = [...this.#speaking, attempt]
    if (!step) return
    if (step.do === 'give-up') return void this.#giveUp()
    if (step.do === 'again') this.#backoffs++
    const next = step.do === 'again' ? attempt.pooled : this.#pool.at(step.target)
    debug.upstream('%s tries %s in %d ms', id, next.target.name, Math.round(step.afterMs))
    if (step.afterMs <= 0) return this.#launch(next)
    this.#exchange.deadlines.start('retry', step.afterMs, () => this.#relaunch(next))
  }

  /** Nobody waits for an answer: of the attempts, another may still be read to its end. */
  #failUnawaited(error: AiProxyError): void {
    if (this.#running.some((attempt) => attempt.isUnderWay)) return
    if (this.#parked) this.#commit(this.#parked.attempt, this.#parked.response)
    else this.#controller.fail(error)
  }

  /** Tells the operator, once while the target cools. */
  #warnOfRefusal({ pooled }: TargetAttempt, { status }: AttemptFailure): void {
    if (pooled.state.cooling.isCooling) return
    const message = `The target ${pooled.target.name} refused its credentials (status ${status}), and is not asked for a minute`
    warn('AI_PROXY_TARGET_REFUSED', message)
  }

  /** Ends every attempt, in any phase, and releases the body. */
  end(): void {
    this.#isEnded = true
    for (const attempt of this.#running) attempt.abandon('abandoned')
    this.#running = []
    this.#parked?.attempt.abandon('abandoned')
    this.#parked = undefined
    for (const attempt of this.#speaking) attempt.end()
    this.#speaking = []
    this.#served?.end()
    this.#releaseBody()
  }

  #nextStep({ pooled }: TargetAttempt, failure: AttemptFailure): NextStep<TargetState> {
    return nextStep({
      verdict: judge(failure),
      failure,
      policy: {
        ...this.#pool.routing.retry,
        attemptsLeft: this.#triesLeft,
        backoffs: this.#backoffs,
        elapsedMs: performance.now() - this.#startedAt,
      },
      sameTargetTries: this.#exchange.attempts.countAt(pooled.target.name) - 1,
      remaining: this.#remaining(),
      random: Math.random,
    })
  }

  /** Targets that were not asked and can be, in order. */
  #remaining(): readonly TargetState[] {
    return this.#route ? this.#pool.remaining(this.#route, this.#tried) : []
  }

  /** Asks a target after a wait, in which others may have taken its place. */
  #relaunch(pooled: PooledTarget): void {
    if (!pooled.state.isFull) return this.#launch(pooled)
    const [other] = this.#remaining()
    if (other) this.#launch(this.#pool.at(other))
    else void this.#giveUp()
  }

  #launch(pooled: PooledTarget, hedged = false): void {
    const { attempts, model } = this.#exchange
    // The client may have left while the attempt waited. What is under way may be read to its end, but nothing begins
    // unless others read the answer.
    if (!isAwaited(this.#exchange)) {
      if (this.#running.length === 0 && this.#firstFailure) this.#controller.fail(this.#firstFailure.error)
      return
    }
    const name = pooled.target.models.modelFor(model)?.name ?? model
    const entry = attempts.begin(pooled.target.name, name, hedged)
    this.#triesLeft--
    this.#tried.push(pooled.state)
    const first = this.#route ? this.#pool.at(this.#route.order[0]!) : pooled
    const observed = this.#context.observers.onAttempt(this.#exchange, first.config.origin, entry, pooled.config.origin)
    const attempt = new TargetAttempt(pooled, entry, attempts.count, this.#exchange, this.#context.turns, this)
    // If nothing can take its place, there is no reason to hold its answer back.
    const isReplaceable = this.#triesLeft > 0 || this.#firstFailure !== undefined || this.#running.length > 0
    const { hedge, retry } = this.#pool.routing
    if (isReplaceable) attempt.preambleBounds = { ...retry.preamble, holdsUntilContent: hedge !== undefined }
    this.#running = [...this.#running, attempt]
    const request = {
      exchange: this.#exchange,
      path: this.#path,
      edited: () => this.#editedRequest(),
      // Later ones win.
      observed: [...this.#observed, ...observed],
    }
    void attempt.start(() => prepareAttempt(request, pooled, name, this.#pool.routing.onAttempt))
    this.#scheduleHedge()
  }

  /** Starts another attempt if no content comes for a while. */
  #scheduleHedge(): void {
    const { hedge } = this.#pool.routing
    if (!hedge || this.#hedgesLeft === 0 || this.#triesLeft === 0) return
    this.#exchange.deadlines.start('hedge', hedge.afterMs, () => {
      const isInTime = performance.now() - this.#startedAt <= this.#pool.routing.retry.withinMs
      const [next] = this.#remaining()
      // A retry may have used up the attempts meanwhile.
      if (!next || !isInTime || this.#triesLeft === 0 || this.#running.length === 0) return
      this.#hedgesLeft--
      this.#launch(this.#pool.at(next), true)
    })
  }

  /** @throws AiProxyError `aborted` if the exchange has ended, or has its answer */
  #editedRequest(): Edited {
    if (!this.#edited) throw new AiProxyError('aborted', 'The request is over')
    return this.#edited
  }

  #releaseBody(): void {
    this.#edited = undefined
    this.#exchange.held?.release()
  }

  /** Sends an attempt's answer to the client. From now on there is no way back. */
  #commit(attempt: TargetAttempt, response: IncomingMessage): void {
    const exchange = this.#exchange
    const { deadlines, limits } = exchange
    this.#running = this.#running.filter((each) => each !== attempt)
    for (const other of this.#running) other.loseTo(attempt)
    this.#running = []
    if (this.#parked && this.#parked.attempt !== attempt) this.#parked.attempt.abandon('outrun')
    this.#parked = undefined
    deadlines.stop('hedge')
    deadlines.stop('retry')
    this.#served = attempt
    exchange.attempts.serve(attempt.entry)
    this.#releaseBody()
    if ((response.statusCode ?? 500) < 400) exchange.answer.onIdentified = this.#remember
    const { config } = attempt.pooled
    const asked = attempt.entry.model
    if (this.#pool.routing.showAlias && asked !== exchange.model) exchange.answerAlias = exchange.model
    const awaitsContent = exchange.asksForStream && !attempt.hasContent
    if (awaitsContent && limits.firstTokenTimeoutMs < Number.POSITIVE_INFINITY) {
      deadlines.start('firstToken', Math.max(attempt.leftForFirstToken, 0), () => {
        this.#controller.failForSilence(limitFailure('first_token_timeout', limits))
      })
    }
    try {
      this.#controller.begin(response, config, attempt.headAt)
    } catch (error) {
      this.#controller.fail(toFailure(error))
    }
  }

  /** Answers with the most useful error: the first that a provider said itself, and wholly, or the first at all. */
  async #giveUp(): Promise<void> {
    for (const attempt of this.#speaking) {
      const said = await attempt.said
      if (this.#isEnded) return
      if (said) return this.#commit(attempt, said)
    }
    if (!this.#firstFailure) return
    const { error, attempt } = this.#firstFailure
    this.#exchange.attempts.serve(attempt.entry)
    this.#controller.fail(error)
  }

  /** A field, for the same reason as the next one. */
  readonly #remember = (responseId: string): void => {
    if (this.#served) this.#pool.rememberResponse(responseId, this.#exchange, this.#served.pooled)
  }

  /** A field, because V8 keeps a closure that is assigned to a property alive, with all that it reaches, as long as its old objects. */
  readonly #conclude = (record: ExchangeRecord): void => {
    const served = this.#served
    if (!served) return
    served.release()
    const { error, errorStatus: status } = this.#exchange.answer
    // What led to another attempt was counted when it did.
    const said: AttemptFailure =
      error === undefined ? { kind: 'broken' } : { kind: 'error-event', status, credentialsOf: served.credentialsOf }
    const failure = served.hasFailed ? undefined : said
    if (this.#route) this.#pool.conclude(record, served.pooled, this.#route, failure)
  }
}
