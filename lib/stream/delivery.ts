import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { Config } from '../config.js'
import { debug } from '../debug.js'
import { AiProxyError, limitFailure, toFailure } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { readEvent } from '../formats/read-event.js'
import { asDataEvent, EnclosingFramer, type Framer, framerFor } from '../framing/index.js'
import { decoded, decoderFor } from './decode.js'
import { hasDeparted, onDeparture } from './departure.js'
import { Downstream } from './downstream.js'
import { Pump } from './pump.js'
import { mergedVary, responseHeaders, streamHeaders } from './response-head.js'
import type { TurnScheduler } from './turns.js'

/** What a delivery can end early: the attempt that its response comes from. */
interface Upstream {
  end(): void
}

interface DeliveryEvents {
  /**
   * The provider answers with a stream.
   *
   * @throws AiProxyError where there is no room for one more
   */
  onStream(): void
  /** The failure is left to Express: there is no answer yet, and the app wants to give it. */
  onFailureLeft(failure: AiProxyError): void
  /** Nothing more happens in this exchange. */
  onOver(): void
}

/** How long a provider that has said that its stream is over may take to end the response. */
const TERMINATOR_GRACE_MS = 1000

/** Brings one exchange to its end: the provider's answer to the client, or an error in its place, within the limits. */
export class Delivery {
  /** The attempt that runs, once there is one. */
  upstream: Upstream | undefined

  readonly #exchange: Exchange
  readonly #config: Config
  readonly #turns: TurnScheduler
  readonly #events: DeliveryEvents
  readonly #downstream: Downstream
  #framer: Framer | undefined
  #pump: Pump | undefined
  #terminated = false
  /** The end of the connection is the end of the body: it cannot be told from a connection that broke. */
  #isCloseDelimited = false
  #isOver = false
  readonly #stopWatching: () => void

  constructor(exchange: Exchange, config: Config, turns: TurnScheduler, events: DeliveryEvents) {
    this.#exchange = exchange
    this.#config = config
    this.#turns = turns
    this.#events = events
    const { drainTimeoutMs } = config.limits
    this.#downstream = new Downstream(exchange.res, exchange.deadlines, drainTimeoutMs, {
      onBlock: () => this.#blocked(),
      onDrain: () => this.#resume('streaming'),
      onCrash: (error) => this.fail(toFailure(error)),
      onSlow: () => this.#slow(),
    })
    exchange.counters = {
      events: () => this.#framer?.events ?? 0,
      downstreamBytes: () => this.#downstream.bytes,
    }
    this.#stopWatching = onDeparture(exchange.req, exchange.res, () => this.#closed())
  }

  /** Answers without the provider. */
  answer(status: number, headers: Record<string, string>, body?: string): void {
    this.#exchange.phase = 'ending'
    this.#downstream.open(status, headers)
    this.#downstream.end(this.#exchange.req.method === 'HEAD' ? undefined : body)
  }

  /** Opens the response as an event stream while the provider is still silent. */
  openEarly(): void {
    this.#framer = framerFor('text/event-stream', this.#config.limits.maxEventBytes)
    this.#downstream.openStream(200, streamHeaders({}))
    this.#downstream.beat()
    this.#downstream.startHeartbeat(this.#config.heartbeatMs)
  }

  /** Passes the provider's response on. */
  begin(response: IncomingMessage): void {
    const exchange = this.#exchange
    const { limits } = this.#config
    const status = response.statusCode ?? 502
    const hasBody = exchange.req.method !== 'HEAD' && status !== 204 && status !== 304
    const length = Number(response.headers['content-length'])
    exchange.deadlines.stop('firstByte')
    exchange.firstByteMs = exchange.age
    debug.upstream('%s status %d after %d ms', exchange.id, status, exchange.firstByteMs)
    if (status < 200 || status > 599)
      throw new AiProxyError('upstream_reset', `The provider answered with status ${status}`)
    if (hasBody && length > limits.maxResponseBytes) return this.#hit('response_too_large')
    const decoder = decoderFor(response, hasBody)
    const headers = responseHeaders(response, decoder !== undefined)
    headers.vary = mergedVary(exchange.res, response.headers.vary)
    // No frames can be seen in an encoding that we cannot decode: such a body passes as it is.
    // And an error of the provider's passes unchanged, whatever type it has.
    const isReadable = hasBody && !headers['content-encoding'] && (status < 400 || this.#framer !== undefined)
    this.#isCloseDelimited = !('content-length' in response.headers) && !('transfer-encoding' in response.headers)
    this.#open(status, headers, isReadable ? response.headers['content-type'] : undefined)
    this.#watchLimits()
    if (!this.#downstream.isGone) exchange.phase = 'streaming'
    const source = decoder ? decoded(response, decoder) : response
    this.#pump = new Pump(source, this.#framer!, this.#downstream, this.#turns, limits.maxResponseBytes, {
      onBytes: (count, now) => this.#arrived(count, now),
      onLastEvent: (event) => this.#lastEvent(event),
      acceptsRest: (rest) => this.#acceptsRest(rest),
      onEnd: () => this.#end(),
      onBroken: (error) => this.#broken(error),
      onTooManyBytes: () => this.#hit('response_too_large'),
      onTooLargeEvent: () => this.#hit('event_too_large'),
      onTurn: (ms) => exchange.tookTurn(ms),
      onCrash: (error) => this.fail(toFailure(error)),
    })
    // The client may have left heartbeats unread that were sent before.
    if (this.#downstream.isBlocked) this.#blocked()
  }

  /** Ends the exchange with a failure, said in the client's own protocol, as far as something can still be said. */
  fail(failure: AiProxyError): void {
    // What fails because the client has left is no failure.
    const { req, res } = this.#exchange
    if (!this.#downstream.isGone && hasDeparted(req, res)) this.#closed()
    // On its last bytes already: nothing can follow them, and nothing is to be said.
    if (this.#downstream.isEnded && !this.#downstream.isGone) return
    const isFirst = this.#exchange.settle(failure.outcome, failure)
    if (failure.code === 'internal_error') debug.stream('%s failed: %O', this.#exchange.id, failure.cause ?? failure)
    if (failure.limit) debug.limit('%s %s: %s', this.#exchange.id, failure.limit, failure.message)
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.#over()
    if (!isFirst) return
    try {
      this.#say(failure)
    } catch (error) {
      debug.stream('%s the failure could not be said: %s', this.#exchange.id, error)
      this.#downstream.cut()
    }
  }

  /** Closes the connection of an exchange whose client takes too long over the last bytes. */
  cut(): void {
    this.#downstream.cut()
  }

  #say(failure: AiProxyError): void {
    const { format, res } = this.#exchange
    this.#exchange.phase = 'ending'
    const body = format.errorBody(failure)
    if (!this.#downstream.begun) {
      if (this.#config.errors === 'next') return this.#events.onFailureLeft(failure)
      const text = JSON.stringify(body)
      const headers = { ...failure.headers, 'content-type': 'application/json; charset=utf-8' }
      if (failure.code === 'shutting_down') res.setHeader('connection', 'close')
      this.answer(failure.status, { ...headers, 'content-length': String(Buffer.byteLength(text)) }, text)
    } else if (this.#downstream.begun === 'ours' && this.#framer?.carriesMessages) {
      this.#downstream.end(format.errorEvent(body))
    } else {
      // Nothing can be said within such a body: a connection cut short is the one way to say that it is not whole.
      this.#downstream.cut()
    }
  }

  /** Opens the response, unless it was opened early: then what is no event stream becomes an event of it. */
  #open(status: number, headers: OutgoingHttpHeaders, contentType: string | undefined): void {
    const { maxEventBytes } = this.#config.limits
    const openedEarly = this.#framer !== undefined
    this.#framer = framerFor(contentType, maxEventBytes)
    if (this.#framer.carriesMessages) this.#events.onStream()
    if (openedEarly) {
      if (this.#framer.carriesMessages) return
      this.#framer = new EnclosingFramer(maxEventBytes, (body) => this.#enclosed(body, status))
    } else if (this.#framer.carriesMessages) {
      this.#downstream.openStream(status, streamHeaders(headers))
      this.#downstream.startHeartbeat(this.#config.heartbeatMs)
    } else {
      this.#downstream.open(status, headers)
    }
  }

  /** What the provider says instead of a stream, as an event; its own words where it says an error in JSON. */
  #enclosed(body: Buffer, status: number): string {
    if (status < 400) return asDataEvent(body)
    const { format } = this.#exchange
    const failure = new AiProxyError('upstream_error', `The provider answered with status ${status}`)
    this.#exchange.settle(failure.outcome, failure)
    const text = body.toString()
    const said: unknown = isJson(text) ? JSON.parse(text) : undefined
    return format.errorEvent(format.isErrorBody(said) ? said : format.errorBody(failure))
  }

  #watchLimits(): void {
    const { idleTimeoutMs, maxStreamDurationMs } = this.#config.limits
    const { deadlines } = this.#exchange
    deadlines.start('idle', idleTimeoutMs, () => this.#hit('idle_timeout'))
    deadlines.start('duration', maxStreamDurationMs, () => this.#hit('stream_too_long'))
  }

  #hit(code: Parameters<typeof limitFailure>[0]): void {
    this.fail(limitFailure(code, this.#config.limits))
  }

  #arrived(count: number, now: number): void {
    this.#exchange.upstreamBytes += count
    this.#exchange.deadlines.touch('idle', now)
  }

  #lastEvent(event: Buffer): void {
    if (this.#terminated || !this.#exchange.format.isTerminator(event)) return
    this.#terminated = true
    this.#exchange.deadlines.start('grace', TERMINATOR_GRACE_MS, () => {
      debug.stream('%s the provider said that it was done and left the connection open', this.#exchange.id)
      this.#safely(() => this.#end())
    })
  }

  /** For what no caller guards: a middleware that wraps the response may throw. */
  #safely(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.fail(toFailure(error))
    }
  }

  /** The provider's answer is whole: so is ours, once the client has got its last bytes. */
  #end(): void {
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.#over()
    this.#exchange.phase = 'ending'
    this.#downstream.end()
  }

  #acceptsRest(rest: Buffer): boolean {
    if (!this.#isCloseDelimited || this.#exchange.format.isTerminator(rest)) return true
    return isJson(readEvent(rest)?.data ?? '{}')
  }

  #broken(cause: Error): void {
    // It had said that it was done: what broke is the connection, not the answer.
    if (this.#terminated) this.#end()
    else this.fail(new AiProxyError('upstream_reset', 'The provider broke off its answer', { cause }))
  }

  #blocked(): void {
    if (!this.#pump) return
    this.#exchange.phase = 'stalled'
    // While we do not read, the provider's silence is ours.
    this.#exchange.deadlines.stop('idle')
  }

  #resume(phase: 'streaming' | 'draining'): void {
    if (!this.#pump || this.#exchange.phase !== 'stalled') return
    this.#exchange.phase = phase
    this.#exchange.deadlines.start('idle', this.#config.limits.idleTimeoutMs, () => this.#hit('idle_timeout'))
    this.#pump.wake()
  }

  #slow(): void {
    const failure = limitFailure('slow_client', this.#config.limits)
    this.#exchange.settle(failure.outcome, failure)
    debug.limit('%s %s: %s', this.#exchange.id, failure.limit, failure.message)
    this.#downstream.cut()
  }

  /** The client's connection is done with: it has got everything, or it has left. */
  #closed(): void {
    const exchange = this.#exchange
    if (this.#downstream.isGone) return
    const hasReadAll = !this.#downstream.isBlocked
    this.#downstream.leave()
    if (exchange.res.writableFinished) {
      if (this.#downstream.isEnded) exchange.settle('completed')
      else exchange.settle('rejected', new AiProxyError('internal_error', 'The app ended the response itself'))
      return this.#over()
    }
    // Many clients leave as soon as they have read that the stream is over: they have got all of it.
    if (this.#terminated && hasReadAll) {
      exchange.settle('completed')
      return this.#over()
    }
    const hasLeft = exchange.settle('client_disconnect')
    if (hasLeft) debug.stream('%s the client left while %s', exchange.id, exchange.phase)
    const isReading = this.upstream !== undefined && exchange.req.complete && exchange.phase !== 'ending'
    if (!hasLeft || !isReading || this.#config.onClientDisconnect === 'abort') return this.#over()
    if (exchange.phase === 'stalled') this.#resume('draining')
    exchange.phase = 'draining'
  }

  #stopUpstream(): void {
    this.#pump?.stop()
    this.upstream?.end()
    this.#exchange.deadlines.stopAll()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWatching()
    this.#stopUpstream()
    this.#events.onOver()
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
