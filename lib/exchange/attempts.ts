import type { AttemptCode, AttemptRecord } from '../api/attempt-record.js'
import { append } from '../util/append.js'
import { NO_SECRETS, type Secrets } from '../util/secrets.js'
import type { JsonReading } from './metering.js'

/** The members of a request to a provider that decide what the client sees of the answer. */
interface SentRequest {
  /** Secrets in the request, which must not reach the client. */
  readonly secrets: Secrets
  /** It asks for usage only for our sake. */
  readonly hidesUsage: boolean
}

/** One attempt of an exchange: a try at one target. */
export class AttemptEntry {
  readonly target: string
  /** The model that the target is asked for. */
  readonly model: string | undefined
  readonly hedged: boolean
  /** Start in monotonic milliseconds. */
  readonly began = performance.now()
  readonly startedAt = Date.now()
  #request: SentRequest = NOT_SENT
  #status: number | undefined
  #reading: JsonReading | undefined
  #code: AttemptCode | undefined
  #ms: number | undefined

  constructor(target: string, model: string | undefined, hedged: boolean) {
    this.target = target
    this.model = model
    this.hedged = hedged
  }

  /** The request that it has sent last. */
  get request(): SentRequest {
    return this.#request
  }

  /** Notes that a request goes out: the first, or another in its place. */
  send(request: SentRequest): void {
    this.#request = request
  }

  /** HTTP status of its answer. */
  get status(): number | undefined {
    return this.#status
  }

  /** Notes that the head of an answer has arrived. */
  answer(status: number | undefined): void {
    this.#status = status
  }

  /** Notes what its answer says, before it passes. */
  noteReading(reading: JsonReading | undefined): void {
    this.#reading = reading
  }

  /** Returns what its answer says, if that is known before it passes; once. */
  takeReading(): JsonReading | undefined {
    const reading = this.#reading
    this.#reading = undefined
    return reading
  }

  get hasEnded(): boolean {
    return this.#ms !== undefined
  }

  /** Notes the end; the first call counts. @param code why it failed or was given up */
  end(code?: AttemptCode): void {
    if (this.hasEnded) return
    this.#code = code
    this.#ms = performance.now() - this.began
  }

  /** @param firstTokenAt when the model's first output passed, in monotonic milliseconds */
  record(firstTokenAt: number | undefined): AttemptRecord {
    const { target, model, hedged, startedAt } = this
    const ms = this.#ms ?? performance.now() - this.began
    const passedMs = firstTokenAt === undefined ? undefined : firstTokenAt - this.began
    // The body of an error may look like output; the attempt ended with its status.
    const firstTokenMs = passedMs !== undefined && passedMs > ms ? undefined : passedMs
    return { target, model, status: this.#status, code: this.#code, startedAt, ms, firstTokenMs, hedged }
  }
}

const NOT_SENT: SentRequest = { secrets: NO_SECRETS, hidesUsage: false }

/** The attempts of an exchange, in the order in which they started. */
export class AttemptLog {
  #entries: AttemptEntry[] = []
  #served: AttemptEntry | undefined

  begin(target: string, model: string | undefined, hedged = false): AttemptEntry {
    const entry = new AttemptEntry(target, model, hedged)
    this.#entries = append(this.#entries, entry)
    return entry
  }

  /** Notes that the client gets this attempt's answer. */
  serve(entry: AttemptEntry): void {
    this.#served = entry
  }

  /** The attempt whose answer the client gets; before that, and if there is none, the last one. */
  get current(): AttemptEntry | undefined {
    return this.#served ?? this.#entries.at(-1)
  }

  /** The request whose answer the client gets. */
  get request(): SentRequest {
    return this.current?.request ?? NOT_SENT
  }

  get count(): number {
    return this.#entries.length
  }

  /** Number of attempts at a target. */
  countAt(target: string): number {
    return this.#entries.filter((entry) => entry.target === target).length
  }

  /**
   * Ends the attempts that are still under way, and returns the records of all.
   *
   * @param code why the exchange ended, if not well
   * @param firstTokenAt when the model's first output passed to the client, in monotonic milliseconds
   */
  finish(code: AttemptCode | undefined, firstTokenAt: number | undefined): readonly AttemptRecord[] {
    return this.#entries.map((entry) => {
      const isServed = entry === this.#served
      entry.end(isServed ? code : (code ?? 'abandoned'))
      return entry.record(isServed ? firstTokenAt : undefined)
    })
  }
}
