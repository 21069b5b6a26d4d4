import type { TargetStats } from '../api/attempt-record.js'
import { AiProxyError, modelNotFound } from '../api/errors.js'
import type { HookedExchange } from '../api/hooks.js'
import type { ExchangeRecord } from '../api/record.js'
import { type Exchange, formatOf } from '../exchange/exchange.js'
import { textAt } from '../formats/fields.js'
import {
  answerIdIn,
  type CompleteFormat,
  continuationNames,
  conversationAt,
  conversationIn,
  isAnsweredWithConversation,
  keepsAnswers,
  MAX_ANSWER_ID_LENGTH,
} from '../formats/index.js'
import type { Config, Routing, Target } from '../options/config.js'
import type { Capacity } from '../policies/capacity.js'
import type { AskedModel } from '../policies/policy-view.js'
import type { ProviderPath } from '../request/provider-path.js'
import { UsageRefusals } from '../request/usage-refusals.js'
import { type AttemptFailure, judge } from '../routing/failure.js'
import { type Route, Router } from '../routing/router.js'
import type { TargetState } from '../routing/target-state.js'
import { createUpstreamProxy } from '../upstream/proxy.js'
import type { ReachableProvider } from './reachable-provider.js'
import { stickyKey } from './sticky-key.js'
import { TargetRoom } from './target-room.js'

/** One of several targets: what it takes, how it is reached, and how it is doing. */
export interface PooledTarget extends ReachableProvider {
  readonly target: Target
  readonly state: TargetState
}

/** All targets of a middleware. */
export class TargetPool {
  readonly routing: Routing
  readonly #targets: readonly PooledTarget[]
  readonly #byName: ReadonlyMap<string, PooledTarget>
  readonly #router: Router
  readonly #room: TargetRoom

  constructor({ limits, hookErrors }: Config, routing: Routing) {
    this.routing = routing
    const env = {
      now: () => performance.now(),
      random: Math.random,
      report: (error: unknown, of: HookedExchange) => hookErrors.report('balance', error, of),
    }
    this.#router = new Router(routing.targets, routing, env)
    this.#targets = routing.targets.map((target) => {
      const { config, name } = target
      return {
        target,
        config,
        upstream: createUpstreamProxy(config.origin, config.proxy, limits.maxConcurrentExchanges),
        usageRefusals: new UsageRefusals(),
        state: this.#router.states.get(name)!,
      }
    })
    this.#room = new TargetRoom(this.#router.states.values(), routing.whenAllCooling)
    this.#byName = new Map(this.#targets.map((pooled) => [pooled.target.name, pooled]))
  }

  /** Its options hold wherever no target is chosen yet. */
  get first(): PooledTarget {
    return this.#targets[0]!
  }

  /**
   * Orders the targets for a request, which goes out now.
   *
   * @throws AiProxyError `endpoint_not_allowed`, `model_not_found`, or `no_target` if none can serve it
   */
  choose(exchange: Exchange, path: ProviderPath, body: unknown): Route {
    this.#room.release(exchange)
    const key = stickyKey(this.routing.sticky, body, exchange)
    const request = { stickyKey: key, hookView: () => exchange.hookView() }
    const eligible = this.#eligible(exchange, path)
    const choice = this.#router.order(eligible, request, referenceOf(exchange, path, body))
    if ('order' in choice) return choice
    const seconds = Math.min(Math.max(1, Math.ceil((choice.retryAfterMs ?? 1000) / 1000)), MAX_RETRY_AFTER_S)
    const why = choice.refused === 'full' ? 'is busy' : 'is unavailable for now'
    throw new AiProxyError('no_target', `Every provider for this request ${why}`, {
      headers: { 'retry-after': String(seconds) },
    })
  }

  /**
   * Returns the room that the targets have for a request, and what they would be asked for.
   *
   * @throws AiProxyError `endpoint_not_allowed`, `model_not_found`
   */
  admitting(exchange: Exchange, path: ProviderPath): { readonly capacity: Capacity; mayAsk(): readonly AskedModel[] } {
    const eligible = this.#eligible(exchange, path)
    return {
      capacity: this.#room.capacityFor(exchange, eligible),
      mayAsk: () => this.#asked(exchange, eligible),
    }
  }

  /** Returns the targets that can serve a request, if any can, each with its own name of the model. */
  mayAsk(exchange: Exchange, path: ProviderPath): readonly AskedModel[] {
    return this.#asked(exchange, this.#serving(exchange, this.#speaking(exchange, path)))
  }

  #asked({ model }: Exchange, targets: readonly TargetState[]): readonly AskedModel[] {
    return targets.map((state) => ({ target: state.name, model: this.at(state).target.models.modelFor(model)?.name }))
  }

  /** Returns the targets of a route that can be asked after some have failed, in order. */
  remaining(route: Route, tried: readonly TargetState[]): readonly TargetState[] {
    return this.#router.remaining(route, tried)
  }

  at(state: TargetState): PooledTarget {
    return this.#byName.get(state.name)!
  }

  /** Returns the targets that can serve a request at all. */
  #eligible(exchange: Exchange, path: ProviderPath): TargetState[] {
    const speaking = this.#speaking(exchange, path)
    if (speaking.length === 0) {
      throw new AiProxyError('endpoint_not_allowed', `No target of this route speaks ${exchange.format.name}`)
    }
    const serving = this.#serving(exchange, speaking)
    if (serving.length === 0) throw modelNotFound(exchange.model ?? '', namesOf(speaking))
    return serving
  }

  #speaking({ format, req }: Exchange, path: ProviderPath): PooledTarget[] {
    return this.#targets.filter(({ target, config }) => {
      // Lists of models, files and the like belong to no format.
      if (!format.isGuess && target.formats?.has(format.name) === false) return false
      const methods = config.endpoints(path.decoded)
      return methods === 'any' || methods.includes(req.method)
    })
  }

  #serving({ model }: Exchange, speaking: readonly PooledTarget[]): TargetState[] {
    return speaking.filter(({ target }) => target.models.modelFor(model) !== undefined).map(({ state }) => state)
  }

  /**
   * Updates what is known of the target that served an exchange.
   *
   * @param failure what it means if its answer failed; `undefined` if that is known
   */
  conclude(record: ExchangeRecord, served: PooledTarget, route: Route, failure: AttemptFailure | undefined): void {
    const attempt = record.attempts.findLast(({ target }) => target === served.target.name)
    const sample = attempt?.firstTokenMs ?? (record.stream ? undefined : attempt?.ms)
    const isFault = record.outcome === 'upstream_error' || SILENT.has(record.limit)
    const isGood = (record.providerStatus ?? 500) < 400
    if (isFault && isGood && failure) served.state.fail(judge(failure), failure)
    if (isFault || !isGood) return
    served.state.succeed()
    if (sample !== undefined) served.state.sample(sample)
    this.#router.served(route, served.state)
  }

  /**
   * Remembers which target made a response or a conversation, if clients may refer to it: also before it has ended, or if
   * it breaks off.
   */
  rememberResponse(id: string, { format, path }: Exchange, { state }: PooledTarget): void {
    if (keepsAnswers(format) || isAnsweredWithConversation(path)) this.#router.rememberResponse(id, state)
  }

  /**
   * Returns the names that clients of some protocols can use: of all protocols, if no target speaks theirs. `undefined`
   * unless every target lists its models.
   *
   * @param formats matches the names of these protocols
   */
  modelNames(formats: RegExp): readonly string[] | undefined {
    const speaking = this.#targets.filter(
      ({ target }) => !target.formats || [...target.formats].some((name) => formats.test(name)),
    )
    const all = namesOf(this.#targets)
    return all && speaking.length > 0 ? namesOf(speaking) : all
  }

  cool(name: string, ms: number): void {
    this.#router.cool(name, ms)
  }

  warm(name: string): void {
    this.#router.warm(name)
  }

  stats(): readonly TargetStats[] {
    return this.#router.stats(Date.now())
  }

  close(): void {
    this.#room.close()
    for (const { upstream } of this.#targets) upstream.close()
  }
}

/** Limits that a provider hits by falling silent. */
const SILENT: ReadonlySet<string | undefined> = new Set(['idleTimeoutMs', 'firstTokenTimeoutMs', 'progressTimeoutMs'])

function namesOf(targets: readonly Pick<PooledTarget, 'target'>[]): readonly string[] | undefined {
  const names = targets.map(({ target }) => target.models.names)
  return names.includes(undefined) ? undefined : [...new Set(names.flatMap((each) => each ?? []))]
}

/** Returns the id of the response or conversation that a request continues, reads, changes or deletes; `undefined` for none. */
function referenceOf({ format }: Exchange, path: ProviderPath, body: unknown): string | undefined {
  const continued = () => continuationNames(format).map((name) => textAt(body, name))
  const joined = () => (keepsAnswers(format) ? conversationIn(body) : undefined)
  const known = answerIdIn(path.decoded, format) ?? conversationAt(path.decoded)
  const id = known ?? continued().find(Boolean) ?? joined()
  return id !== undefined && id.length <= MAX_ANSWER_ID_LENGTH ? id : undefined
}

/** A day: an operator may let a target cool for ever. */
const MAX_RETRY_AFTER_S = 24 * 60 * 60

/** Returns the options of the target whose base URL makes the path one of a known format; the first one's otherwise. */
export function configAt(config: Config, path: string): Config {
  const { routing } = config
  if (!routing || config.format) return config
  const known = routing.targets.find((target) => !formatOf(target.config.prefix + path).isGuess)
  return known?.config ?? config
}

/** Returns the protocol that is spoken at a path. */
export function formatAt(config: Config, path: string): CompleteFormat {
  return config.format ?? formatOf(configAt(config, path).prefix + path)
}
