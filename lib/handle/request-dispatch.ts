import type { AsyncResource } from 'node:async_hooks'
import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { AttemptEntry } from '../exchange/attempts.js'
import type { Exchange } from '../exchange/exchange.js'
import { isInMemory } from '../request/body-bytes.js'
import type { UpstreamRequest } from '../request/upstream-request.js'
import { namesUsageRequest } from '../request/usage-refusals.js'
import { isAwaited } from '../response/disconnect.js'
import type { Runnable } from '../scheduling/turns.js'
import { Attempt, type AttemptEvents } from '../upstream/attempt.js'
import { debug } from '../util/debug.js'
import type { Secrets } from '../util/secrets.js'
import { peek } from './peek.js'
import type { PreparedRequest } from './prepare-request.js'
import type { ReachableProvider } from './reachable-provider.js'

/** Statuses with which servers reject an unknown field, and how much of their message is read. */
const REJECTION_STATUSES = [400, 422]
const MAX_PEEKED_BYTES = 64 * 1024

/** Callbacks of a dispatch. At most one of `onAnswer` and `onFailure` is called, once, and never after `end()`. */
export interface DispatchEvents {
  /** The request goes out: for the first time, or again. @returns the entry of the attempt that sends it */
  onStart(): AttemptEntry
  onAnswer(response: IncomingMessage): void
  onFailure(failure: AiProxyError): void
  /** The body is not needed again. */
  onBodyDone(): void
}

/** Sends a request to a provider, from its turn until the provider's answer arrives. */
export class RequestDispatch implements Runnable, AttemptEvents {
  /** About what Node takes to write a request, after the turn. */
  readonly extraCostMs = 0.05
  readonly tenant: string | undefined
  readonly asyncContext: AsyncResource

  /** Kept until the provider answers: after that nothing is sent again, and the body can be released. */
  #request: UpstreamRequest | undefined
  #withoutUsageRequest: UpstreamRequest | undefined
  /** The provider rejected the request for usage, and is asked again without it. */
  #isUsageRetry = false
  #hidesUsage: boolean
  /** The body, if it streams through. */
  readonly #upload: IncomingMessage | undefined
  readonly #secrets: Secrets
  readonly #exchange: Exchange
  readonly #provider: ReachableProvider
  readonly #events: DispatchEvents
  /**
   * A pooled connection may turn out to be dead before the provider can have seen the request: it is then sent once
   * more.
   */
  #retriesLeft = 1
  /** A pooled connection was dead, and others may be as well. */
  #needsNewConnection = false
  /** The body has been sent, as far as we can know. */
  #isSent = false
  #current: Attempt | undefined

  constructor(prepared: PreparedRequest, exchange: Exchange, provider: ReachableProvider, events: DispatchEvents) {
    this.#request = prepared.request
    const { body } = prepared.request
    this.#upload = body && !isInMemory(body) ? body : undefined
    this.#withoutUsageRequest = prepared.unasked
    this.#hidesUsage = prepared.hidesUsage
    this.#secrets = prepared.secrets
    this.#exchange = exchange
    this.tenant = exchange.tenant
    this.asyncContext = exchange.asyncContext
    this.#provider = provider
    this.#events = events
  }

  runTurn(): void {
    // A client that left meanwhile also waits for a turn, after this one.
    if (!isAwaited(this.#exchange)) return this.#releaseBody()
    try {
      if (this.#request) this.#attempt(this.#request)
    } catch (error) {
      this.#events.onFailure(toFailure(error))
    }
  }

  onTurnEnd(): void {}

  get isUnderWay(): boolean {
    return this.#current !== undefined
  }

  /** The client is still sending the body, which streams through. */
  get isUploading(): boolean {
    return this.#upload?.complete === false
  }

  /** Stops in any phase, and releases the body. */
  end(): void {
    this.#current?.end()
    this.#releaseBody()
  }

  #releaseBody(): void {
    this.#request = this.#withoutUsageRequest = undefined
    this.#events.onBodyDone()
  }

  onConnect(): void {
    debug.upstream('%s connected', this.#exchange.id)
    if (this.#exchange.phase === 'connecting') this.#exchange.enter('waiting')
  }

  onResponse(response: IncomingMessage): void {
    const { statusCode = 0 } = response
    const unasked = this.#withoutUsageRequest
    this.#withoutUsageRequest = undefined
    if (unasked && REJECTION_STATUSES.includes(statusCode)) {
      return peek(response, MAX_PEEKED_BYTES, (start) => {
        // Do not repeat the request if nobody waits for its answer.
        if (start && namesUsageRequest(start, this.#exchange.format) && isAwaited(this.#exchange))
          this.#retryWithoutUsageRequest(unasked)
        else this.#answer(response, start !== undefined)
      })
    }
    if (this.#isUsageRetry && statusCode < 400) this.#provider.usageRefusals.add(this.#exchange)
    this.#answer(response)
  }

  /** Sends the request again: the client has received nothing of the rejection, and the body is still there. */
  #retryWithoutUsageRequest(unasked: UpstreamRequest): void {
    const exchange = this.#exchange
    debug.upstream('%s asks again, without the request for usage', exchange.id)
    this.#current?.end()
    this.#hidesUsage = false
    this.#request = unasked
    this.#isUsageRetry = true
    this.runTurn()
  }

  #answer(response: IncomingMessage, isThere = true): void {
    this.#request = undefined
    if (this.#isSent) this.#events.onBodyDone()
    if (!isThere) {
      if (this.#exchange.isSettled) return
      return this.#events.onFailure(new AiProxyError('upstream_reset', 'The provider broke off its answer'))
    }
    try {
      this.#events.onAnswer(response)
    } catch (error) {
      this.#events.onFailure(toFailure(error))
    }
  }

  onError(cause: Error, failed: Attempt): void {
    failed.end()
    this.#current = undefined
    debug.upstream('%s %s', this.#exchange.id, cause.message)
    const request = this.#request
    const isReplayable = request?.body === undefined || isInMemory(request.body)
    if (request && failed.isStale(cause) && isReplayable && this.#retriesLeft > 0) {
      this.#retriesLeft--
      this.#needsNewConnection = true
      this.#provider.upstream.closeIdle()
      return this.#attempt(request)
    }
    // Nothing was sent, and the pool has one connection less. Let the event loop go round between attempts.
    if (failed.gotPooledConnection && isAwaited(this.#exchange)) return void setImmediate(() => this.runTurn())
    this.#request = undefined
    this.#events.onFailure(
      failed.connected
        ? new AiProxyError('upstream_reset', 'The provider broke off before it answered', { cause })
        : new AiProxyError('upstream_unreachable', `The provider cannot be reached${reasonOf(cause)}`, { cause }),
    )
  }

  onRequestChunk(chunk: Buffer): void {
    const { limits } = this.#exchange
    this.#exchange.traffic.countRequestBytes(chunk.length)
    this.#exchange.deadlines.touch('upload')
    if (this.#exchange.traffic.requestBytes > limits.maxRequestBytes) {
      this.#events.onFailure(limitFailure('request_too_large', limits))
    }
  }

  onRequestSent(): void {
    this.#isSent = true
    // Until the provider answers, the body may have to be sent again.
    if (!this.#request) this.#events.onBodyDone()
  }

  #attempt(request: UpstreamRequest): void {
    if (this.#exchange.phase !== 'draining') this.#exchange.enter('connecting')
    this.#events.onStart().send({ secrets: this.#secrets, hidesUsage: this.#hidesUsage })
    this.#isSent = false
    const { upstream } = this.#provider
    const attempt = new Attempt(request, this, upstream, this.#needsNewConnection)
    this.#current = attempt
    this.#awaitUpload(request)
    attempt.start(upstream.handle)
  }

  /**
   * Limits how long an unbuffered body may make no progress: while the provider does not read it, nothing notices that
   * the client leaves.
   */
  #awaitUpload({ body }: UpstreamRequest): void {
    if (!body || isInMemory(body)) return
    const { limits } = this.#exchange
    const { deadlines } = this.#exchange
    deadlines.start('upload', limits.uploadIdleTimeoutMs, () => {
      // If the body is being read, the client is the one that sends nothing.
      const status = body.isPaused() ? undefined : 408
      this.#events.onFailure(limitFailure('upload_timeout', limits, status))
    })
    body.once('end', () => deadlines.stop('upload'))
  }
}

/** Returns why there is no connection, by the name that the system or TLS uses: `ENOTFOUND`, `CERT_HAS_EXPIRED`. */
function reasonOf({ code }: NodeJS.ErrnoException): string {
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code) ? `: ${code}` : ''
}
