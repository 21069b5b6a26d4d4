import type { BodyContext } from './body-context.js'
import { ResumeError, type ResumeFailure } from './resume-error.js'
import { backoffMs, retryAfterMs } from './retry-delay.js'
import { mediaTypeOf } from './splitter-for.js'
import { requestRest, requestStand } from './stream-handle.js'

/** A server that asks for more is not waited for. */
const MAX_WAIT_MS = 300_000

/** Header that says how a stream stands. */
const STATE = 'x-stream-state'
/** How long the end of a stream may take to be known. */
const LATER_MS = 1000

const REASONS: Readonly<Record<number, string>> = {
  401: 'the server does not accept the credentials any more',
  403: 'the server does not allow it',
  404: 'the server does not know the stream, or it belongs to another user',
  410: 'the server does not keep these events any more, or not those of this stream',
}

/** Connects a stream that broke again, attempt by attempt. */
export class Resumption {
  readonly #context: BodyContext
  readonly #signal: AbortSignal
  /** Attempts since the last event. */
  #attempts = 0
  /** What broke the stream or the last attempt. */
  #cause: unknown
  #status: number | undefined
  /** The last event when the server was asked whether the stream is over. */
  #askedAfter: string | undefined
  /** How long the server asked to wait. */
  #askedMs = 0

  /** @param signal aborted when the body is not needed any more */
  constructor(context: BodyContext, signal: AbortSignal) {
    this.#context = context
    this.#signal = signal
  }

  /** An event has arrived, which ends the interruption. */
  onProgress(): void {
    this.#attempts = 0
    this.#status = undefined
  }

  onInterrupted(cause: unknown): void {
    this.#cause = cause
  }

  /**
   * Makes attempts until the server continues the stream.
   *
   * @returns the continuation, or `undefined` if the stream is over
   * @throws ResumeError if there is no use in another attempt
   */
  async connect(): Promise<Response | undefined> {
    const { url } = this.#context.handle
    if (url === undefined) {
      const todo = 'set streamsUrl, or let CORS expose the header x-stream-url'
      throw this.#error('no_url', `nothing says where the server has it; ${todo}`)
    }
    for (;;) {
      await this.#wait()
      const response = await this.#attempt(url)
      if (response === undefined) continue
      if (response.status === 204) return undefined
      const { handle, splitter, options } = this.#context
      notify(options.onResumed, { id: handle.id, after: splitter!.after, attempts: this.#attempts })
      return response
    }
  }

  /**
   * Asks whether the stream is over, because the end of a body does not say so.
   *
   * @returns `false` if the server has more of it, or may have; `true` also if it does not know the stream any more
   */
  async isOver(): Promise<boolean> {
    const { handle, splitter } = this.#context
    const { after, endsWithError } = splitter!
    if (handle.url === undefined || endsWithError || after === this.#askedAfter) return true
    this.#askedAfter = after
    const ask = () => requestStand(handle, handle.url!, this.#signal)
    let response = await ask()
    if (isOpen(response) && hasAll(response, after)) {
      // The store may learn of the end later than this client.
      await this.#context.environment.sleep(LATER_MS, this.#signal)
      response = await ask()
    }
    if (isOpen(response)) return false
    return response.headers.has(STATE) || response.ok ? hasAll(response, after) : finalFailure(response) !== undefined
  }

  async #wait(): Promise<void> {
    const { handle, splitter, options, environment } = this.#context
    if (this.#attempts >= options.retries) {
      throw this.#error('retries_exhausted', `no attempt of ${options.retries} to resume it succeeded`)
    }
    const delayMs = Math.max(this.#askedMs, backoffMs(this.#attempts++, options.backoff, environment))
    this.#askedMs = 0
    const offline = environment.isOffline()
    notify(options.onInterrupted, {
      ...{ id: handle.id, after: splitter!.after, attempt: this.#attempts, delayMs, offline },
      cause: this.#cause,
    })
    await environment.sleep(delayMs, this.#signal)
    while (environment.isOffline()) await environment.untilOnline(this.#signal)
  }

  /** @returns the server's answer if it settles the matter, or `undefined` if another attempt may */
  async #attempt(url: string): Promise<Response | undefined> {
    const { handle, splitter } = this.#context
    let response: Response
    try {
      response = await requestRest(handle, url, splitter!.after, this.#signal)
    } catch (error) {
      this.#signal.throwIfAborted()
      this.#cause = error
      return undefined
    }
    this.#status = response.status
    if (response.status === 204) return response
    if (response.status === 200) return this.#checked(response)
    void response.body?.cancel().catch(() => {})
    const failure = finalFailure(response)
    if (failure) throw this.#error(failure, REASONS[response.status] ?? `the server refuses to go on`)
    this.#askedMs = retryAfterMs(response.headers, this.#context.environment)
    if (this.#askedMs > MAX_WAIT_MS) throw this.#error('wait_too_long', 'the server asks for too long a wait')
    this.#cause = new TypeError(`the server answered with status ${response.status}`)
    return undefined
  }

  /** An answer of something between, such as the sign-in page of a hotel's network, is not the stream. */
  #checked(response: Response): Response | undefined {
    const { handle, mediaType } = this.#context
    const id = response.headers.get('x-stream-id') ?? handle.id
    if (response.body && mediaTypeOf(response) === mediaType && id === handle.id) return response
    void response.body?.cancel().catch(() => {})
    this.#cause = new TypeError('the answer is not the stream that was asked for')
    return undefined
  }

  #error(code: ResumeFailure, reason: string): ResumeError {
    const status = this.#status === undefined ? '' : ` (status ${this.#status})`
    return new ResumeError(code, `The stream broke and cannot be resumed: ${reason}${status}.`, {
      ...{ streamId: this.#context.handle.id, status: this.#status, cause: this.#cause },
    })
  }
}

/** The failure that an answer means, if no retry can change it. */
function finalFailure({ status, type }: Response): ResumeFailure | undefined {
  if (type === 'opaqueredirect') return 'refused'
  if (status === 410) return 'gone'
  if (status === 404) return 'not_found'
  if (status === 408 || status === 425 || status === 429 || status >= 500) return undefined
  return 'refused'
}

function isOpen({ headers }: Response): boolean {
  return headers.get(STATE) === 'open'
}

/** Returns whether the server has no event after one, as far as it knows. */
function hasAll({ headers }: Response, after: string): boolean {
  const newest = Number(headers.get('x-stream-newest'))
  const last = Number(after.slice(after.lastIndexOf('.') + 1))
  // The error event of a lost stream is not kept.
  return headers.get(STATE) === 'lost' ? last > newest : last >= newest
}

/** A callback that throws must not break the stream; its error is reported as an uncaught one. */
function notify<T>(callback: ((event: T) => void) | undefined, event: T): void {
  try {
    callback?.(event)
  } catch (error) {
    const { reportError = console.error } = globalThis as { readonly reportError?: (error: unknown) => void }
    reportError(error)
  }
}
