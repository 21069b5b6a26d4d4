import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { AiProxyError, limitFailure, toFailure } from '../api/errors.js'
import type { Endable, Exchange } from '../exchange/exchange.js'
import { isClaimed } from '../formats/index.js'
import { asDataEvent, type Framing, PassThroughFramer, sse, WholeBodyAsEvent } from '../framing/index.js'
import { tryParseJson } from '../json/json.js'
import { isExpensiveToParse } from '../metering/parse-cost.js'
import type { Config } from '../options/config.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import { debug } from '../util/debug.js'
import { decoded } from './decode.js'
import { hasBeenSent, hasDisconnected, onDisconnect } from './disconnect.js'
import { Downstream, type DownstreamEvents } from './downstream.js'
import { failureFrame } from './failure-frame.js'
import { lingerAfter } from './linger.js'
import { MaskingFramer, MaskingMeter } from './masking.js'
import { meteringFor } from './metering-for.js'
import { Relay, type RelayEvents } from './relay.js'
import { streamHeaders, withoutPower } from './response-head.js'
import { type BodyKind, kindByFirstBytes, mayHaveBody, type ResponsePlan, responsePlan } from './response-plan.js'
import { type Carriage, Unlabelled } from './unlabelled.js'

const JSON_TYPE = 'application/json; charset=utf-8'

/** How long the head of a body waits for its first bytes, which may tell more of it. */
const FIRST_BYTES_MS = 500

/** What a delivery can end early: the attempt that its response comes from. */
interface Upstream {
  end(): void
}

/** Told what becomes of exchanges. */
export interface ResponseCallbacks {
  /**
   * The provider answers with a stream.
   *
   * @throws AiProxyError where there is no room for one more
   */
  onStream(exchange: Exchange): void
  /** The stream goes out through a compression that holds events back. */
  onUnflushable(): void
  /** A stream has taken a turn. */
  readonly onTurn: ((ms: number) => void) | undefined
  /** Nothing more happens in this exchange. */
  onOver(exchange: Exchange): void
}

/**
 * Brings one exchange to its end: the provider's answer to the client, or an error in its place.
 *
 * It hears of what it sets going as a class, not through objects with a function for each event: V8 gives such object
 * literals, where they are made by the thousand, to the old generation, and all that they lead to stays with them.
 */
export class ResponseController implements Endable, DownstreamEvents, RelayEvents {
  /** The attempt that runs, once there is one. */
  upstream: Upstream | undefined

  readonly #exchange: Exchange
  readonly #config: Config
  readonly #turns: TurnScheduler
  readonly #events: ResponseCallbacks
  readonly #downstream: Downstream
  /** How the client's stream is framed; `undefined` where it gets none. */
  #framing: Framing | undefined
  #relay: Relay | undefined
  /** What the departure of the client means has been worked out. */
  #isDepartureSettled = false
  /** When the client left, it had read that the answer is over. */
  #hasGotAll = false
  #isOver = false
  readonly #stopWatching: () => void

  constructor(exchange: Exchange, config: Config, turns: TurnScheduler, events: ResponseCallbacks) {
    this.#exchange = exchange
    this.#config = config
    this.#turns = turns
    this.#events = events
    this.#downstream = new Downstream(exchange.res, exchange.deadlines, () => exchange.limits.drainTimeoutMs, this)
    exchange.sent = this.#downstream
    this.#stopWatching = onDisconnect(exchange.req, exchange.res, () => this.#noticeDeparture())
  }

  /** Answers without the provider. */
  answer(status: number, headers: Record<string, string>, body?: string | Buffer): void {
    this.#exchange.phase = 'ending'
    this.#exchange.deadlines.stop('firstByte')
    this.#exchange.deadlines.stop('firstToken')
    this.#downstream.open(status, headers)
    this.#downstream.end(this.#exchange.req.method === 'HEAD' ? undefined : body)
  }

  /** Opens the response as an event stream while the provider is still silent, for a client that reads such a stream. */
  sendEarlyHeaders(): void {
    const { format, req } = this.#exchange
    if (!format.streamsSse(req.url)) return
    this.#framing = sse
    this.#downstream.openStream(200, streamHeaders({}, sse, this.#exchange.res.getHeader('cache-control')))
    this.#downstream.beat()
    this.#downstream.startHeartbeat(this.#config.heartbeat.everyMs)
  }

  /** Passes the provider's response on. */
  begin(response: IncomingMessage): void {
    const exchange = this.#exchange
    const { limits } = exchange
    const status = response.statusCode ?? 502
    exchange.deadlines.stop('firstByte')
    exchange.firstByteMs = exchange.age
    exchange.providerStatus = response.statusCode
    debug.upstream('%s status %d after %d ms', exchange.id, status, exchange.firstByteMs)
    if (status < 200 || status > 599)
      throw new AiProxyError('upstream_reset', `The provider answered with status ${status}`)
    const length = Number(response.headers['content-length'])
    if (length > limits.maxResponseBytes && mayHaveBody(exchange.req.method, status)) {
      return this.fail(limitFailure('response_too_large', limits))
    }
    const opening = responsePlan(response, exchange, this.#config, this.#framing !== undefined)
    if (status < 400) exchange.findings.note(exchange.format.readHeaders(response.headers), exchange.startedAt)
    if (!this.#downstream.isGone) exchange.phase = 'streaming'
    const carriage = opening.kind ? this.#open(opening, opening.kind) : this.#openByFirstBytes(opening)
    exchange.framed = carriage.framer
    const source = {
      carriage,
      body: opening.decoder ? decoded(response, opening.decoder) : response,
      decoder: opening.decoder,
      isCloseDelimited: opening.isCloseDelimited,
    }
    this.#relay = new Relay(exchange, source, this.#downstream, this.#turns, this)
    // The client may have left heartbeats unread that were sent before.
    if (this.#downstream.isBlocked) this.#relay.pause()
  }

  /** Ends the exchange with a failure, said in the client's own protocol, as far as something can still be said. */
  fail(failure: AiProxyError): void {
    // What fails because the client has left is no failure.
    const { req, res } = this.#exchange
    if (hasDisconnected(req, res)) this.#settleDeparture()
    if (this.#isOver) return
    // On its last bytes already: nothing can follow them, and nothing is to be said.
    if (this.#downstream.isEnded && !this.#downstream.isGone) return
    const isFirst = this.#exchange.settle(failure.outcome, failure)
    if (failure.code === 'internal_error') debug.stream('%s failed: %O', this.#exchange.id, failure.cause ?? failure)
    if (failure.limit) debug.limit('%s %s: %s', this.#exchange.id, failure.limit, failure.message)
    this.#stopUpstream()
    if (this.#downstream.isGone) return this.#over()
    // How it ends was decided before, but not brought to the client.
    if (!isFirst) return this.#downstream.cut()
    try {
      this.#say(failure)
    } catch (error) {
      debug.stream('%s the failure could not be said: %s', this.#exchange.id, error)
      this.#downstream.cut()
    }
  }

  /** The same, unless what has come is an answer that need not have content by now. */
  failForSilence(failure: AiProxyError): void {
    if (this.#relay) this.#relay.onSilence(failure)
    else this.fail(failure)
  }

  /** Ends the exchange because the app wants it; where its last bytes are on their way already, by cutting them off. */
  abort(): void {
    const failure = new AiProxyError('aborted', 'The server ended this request')
    if (this.#downstream.isEnded) this.cut(failure)
    else this.fail(failure)
  }

  /** Closes the connection, without a word, of an exchange whose client takes too long over the last bytes. */
  cut(failure: AiProxyError): void {
    this.#exchange.settle(failure.outcome, failure)
    this.#downstream.cut()
  }

  onBackpressure(): void {
    this.#relay?.pause()
  }

  onDrain(): void {
    this.#relay?.resume('streaming')
  }

  onDrainTimeout(): void {
    const failure = limitFailure('slow_client', this.#exchange.limits)
    debug.limit('%s %s: %s', this.#exchange.id, failure.limit, failure.message)
    this.cut(failure)
  }

  onUnflushable(): void {
    this.#events.onUnflushable()
  }

  onCrash(error: unknown): void {
    this.fail(toFailure(error))
  }

  onTurn(ms: number): void {
    this.#events.onTurn?.(ms)
  }

  /** The provider's answer is whole: so is ours, once the client has got its last bytes. */
  onComplete(): void {
    if (this.#downstream.isGone) this.#settleDeparture()
    this.#stopUpstream()
    this.#exchange.isComplete = true
    this.#exchange.finishMetering()
    this.#settleSaidError()
    if (this.#downstream.isGone) return this.#over()
    this.#exchange.phase = 'ending'
    this.#downstream.end()
  }

  #say(failure: AiProxyError): void {
    const { format, res } = this.#exchange
    this.#exchange.phase = 'ending'
    const body = format.errorBody(failure)
    if (!this.#downstream.begun) {
      if (this.#config.errors === 'next') {
        lingerAfter(this.#exchange.req, res)
        return this.#exchange.next(failure)
      }
      const text = JSON.stringify(body)
      const headers = { ...failure.headers, 'content-type': JSON_TYPE }
      if (failure.code === 'shutting_down' || failure.code === 'too_many_exchanges')
        res.setHeader('connection', 'close')
      this.answer(failure.status, { ...headers, 'content-length': String(Buffer.byteLength(text)) }, text)
      return
    }
    const isOurs = this.#downstream.begun === 'ours'
    const frame = isOurs && this.#framing && failureFrame(this.#framing, format, body, this.#exchange.streamState())
    if (frame) {
      this.#downstream.end(frame)
    } else {
      // Nothing can be said within such a body: a connection cut short is the one way to say that it is not whole.
      this.#downstream.cut()
    }
  }

  /** Opens the response once the first bytes of the body have told what it is, or its head has waited long enough. */
  #openByFirstBytes(opening: ResponsePlan): Carriage {
    const unlabelled = new Unlabelled((start, isAll) => {
      const kind = kindByFirstBytes(start, isAll, this.#exchange, opening.headers['content-type']?.toString())
      if (!kind) return undefined
      this.#exchange.deadlines.stop('first bytes')
      return this.#open(opening, kind)
    })
    const isToWait = this.#exchange.asksForStream && !this.#framing
    if (isToWait) this.#exchange.deadlines.start('first bytes', FIRST_BYTES_MS, () => this.#openUntold(opening))
    return unlabelled
  }

  /**
   * Sends the head of a body that has not begun. Where the path says that it will be an event stream, if it is a stream
   * at all, it is labelled as one, and any other body becomes one event of it, as with `heartbeat.beforeFirstByte`.
   */
  #openUntold({ status, headers, isEmpty, isJsonByLabel }: ResponsePlan): void {
    const { format, path, req, res } = this.#exchange
    if (this.#downstream.isGone || this.#downstream.begun) return
    const isKnown = this.#config.format !== undefined || isClaimed(this.#config.prefix + path)
    const isEvents = isKnown && !isJsonByLabel && format.streamsSse(req.url)
    this.#framing = isEvents ? sse : undefined
    const safe = isEvents ? headers : withoutPower(headers, isEmpty, res)
    this.#downstream.openStream(status, streamHeaders(safe, this.#framing, res.getHeader('cache-control')))
    this.#downstream.flushHead()
    if (isEvents) this.#downstream.startHeartbeat(this.#config.heartbeat.everyMs)
  }

  /**
   * Opens the response, unless it was opened before: if that was as an event stream, a body of another kind becomes an
   * event of it.
   *
   * @returns how the body is carried
   */
  #open({ status, headers, isEmpty, isText }: ResponsePlan, { framing, isJson }: BodyKind): Carriage {
    const exchange = this.#exchange
    const { secrets } = exchange
    const { maxEventBytes } = exchange.limits
    if (framing) this.#events.onStream(exchange)
    const isEnclosed = this.#framing !== undefined && framing !== this.#framing
    const metering = isEnclosed
      ? meteringFor(exchange, undefined, isJson || framing !== undefined, this.#config)
      : meteringFor(exchange, framing, isJson, this.#config)
    exchange.metering = metering
    if (isEnclosed) {
      const isReadable = !headers['content-encoding']
      const framer = new WholeBodyAsEvent(maxEventBytes, (body) => {
        return this.#enclosed(secrets.maskBytes(body), status, isReadable)
      })
      return { framer, metering: undefined, framing: this.#framing, isEnclosed: true }
    }
    const isMasked = (isText || isJson) && !secrets.isEmpty
    const framer =
      framing?.createFramer(maxEventBytes) ?? (isMasked ? new MaskingFramer(secrets) : new PassThroughFramer())
    const isOpen = this.#framing !== undefined || this.#downstream.begun === 'ours'
    this.#framing = framing
    if (!isOpen && !framing) {
      const labelled = isJson ? { 'content-type': JSON_TYPE, ...headers } : headers
      this.#downstream.open(status, withoutPower(labelled, isEmpty, exchange.res))
    }
    if (!isOpen && framing) {
      this.#downstream.openStream(status, streamHeaders(headers, framing, exchange.res.getHeader('cache-control')))
    }
    if (framer.heartbeat) this.#downstream.startHeartbeat(this.#config.heartbeat.everyMs)
    const seen = framing && !secrets.isEmpty ? new MaskingMeter(secrets, framing, metering) : metering
    return { framer, metering: seen, framing, isEnclosed: false }
  }

  /** What the provider says instead of a stream, as an event; its own words where it says an error in JSON. */
  #enclosed(body: Buffer, status: number, isText: boolean): Buffer | string {
    const exchange = this.#exchange
    exchange.metering?.pass(body, [], performance.now())
    exchange.finishMetering()
    const { format, findings } = exchange
    const isError = status >= 400 || findings.error !== undefined
    if (!isError && isText && body.length > 0 && isUtf8(body)) return asDataEvent(body)
    const what = isError ? 'an error' : 'neither a stream nor a text'
    const said = findings.error === undefined ? '' : `: ${findings.error}`
    const failure = new AiProxyError('upstream_error', `The provider answered with ${what} (status ${status})${said}`)
    exchange.settle(status < 400 ? failure.outcome : 'provider_error', failure)
    const answer = isExpensiveToParse(body) ? undefined : tryParseJson(body.toString())
    const errorBody = format.isErrorBody(answer) ? answer : format.errorBody(failure)
    return format.errorEvent(errorBody, exchange.streamState())
  }

  /** The provider said, in an answer that had begun well, that it failed. */
  #settleSaidError(): void {
    const { error } = this.#exchange.findings
    if (error === undefined) return
    const failure = new AiProxyError('upstream_error', `The provider failed within its answer: ${error}`)
    this.#exchange.settle(failure.outcome, failure)
  }

  /** The client's connection is done with. Many may leave at the same moment: they go out in turns. */
  #noticeDeparture(): void {
    const { req, res } = this.#exchange
    if (hasBeenSent(req, res)) return this.#settleDeparture()
    this.#leave()
    if (this.#config.onClientDisconnect === 'abort') this.#relay?.stop()
    this.#turns.runOrEnqueue({ runTurn: () => this.#takeLeave(), onTurnEnd: () => {} })
  }

  #leave(): void {
    if (this.#downstream.isGone) return
    const isToldAll = this.#relay?.isTerminated === true || this.#downstream.isLingering
    this.#hasGotAll = isToldAll && !this.#downstream.isBlocked
    this.#downstream.leave()
  }

  #takeLeave(): void {
    try {
      this.#settleDeparture()
    } catch (error) {
      this.onCrash(error)
    }
  }

  /** It has got everything, or it has left. */
  #settleDeparture(): void {
    const exchange = this.#exchange
    if (this.#isDepartureSettled) return
    this.#isDepartureSettled = true
    this.#leave()
    // Many clients leave as soon as they have read that the provider is done, or that it failed.
    if (this.#framing) exchange.metering?.finish(performance.now())
    this.#settleSaidError()
    if (hasBeenSent(exchange.req, exchange.res)) {
      if (this.#downstream.isEnded) exchange.settleWhole()
      else exchange.settle('rejected', new AiProxyError('internal_error', 'The app ended the response itself'))
      return this.#over()
    }
    // Many clients leave as soon as they have read that the stream is over: they have got all of it.
    if (this.#hasGotAll) {
      exchange.settleWhole()
      return this.#over()
    }
    const hasLeft = exchange.settle('client_disconnect')
    if (hasLeft) debug.stream('%s the client left while %s', exchange.id, exchange.phase)
    const isReading = this.upstream !== undefined && exchange.req.complete && exchange.phase !== 'ending'
    if (!hasLeft || !isReading || this.#config.onClientDisconnect === 'abort') return this.#over()
    this.#relay?.resume('draining')
    exchange.phase = 'draining'
  }

  #stopUpstream(): void {
    this.#relay?.stop()
    this.upstream?.end()
    this.#exchange.deadlines.stopAll()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stopWatching()
    this.#stopUpstream()
    this.#events.onOver(this.#exchange)
  }
}
