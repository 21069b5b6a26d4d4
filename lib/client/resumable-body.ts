import type { BodyContext } from './body-context.js'
import { SplitError } from './event-splitter.js'
import { ResumeError, type ResumeFailure } from './resume-error.js'
import { Resumption } from './resumption.js'
import { requestStop } from './stream-handle.js'

type Reader = ReadableStreamDefaultReader<Uint8Array>

/**
 * A body that consists of the whole events of one connection after another. It reads only when its reader asks, so a
 * slow reader slows the server down, as without this module.
 */
export class ResumableBody {
  readonly stream: ReadableStream<Uint8Array>
  readonly #context: BodyContext
  readonly #resumption: Resumption
  /** Ends what is under way when the reader stops or leaves. */
  readonly #leaving = new AbortController()
  /** The current connection; `undefined` while there is none. */
  #reader: Reader | undefined
  /** The end of its body may be a connection that broke. */
  #endsLikeBroken = false
  #isOver = false

  constructor(first: Response, context: BodyContext) {
    this.#context = context
    this.#read(first)
    this.#resumption = new Resumption(context, this.#leaving.signal)
    let controller!: ReadableStreamDefaultController<Uint8Array>
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (own) => {
          controller = own
        },
        pull: () => this.#pull(controller),
        cancel: (reason) => this.#leave(reason),
      },
      { highWaterMark: 0 },
    )
    this.#onAbort = () => {
      const reason: unknown = context.signal?.reason
      this.#leave(reason)
      controller.error(reason)
    }
    if (context.signal?.aborted) this.#onAbort()
    else context.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  readonly #onAbort: () => void

  /** Delivers the next whole events, however many connections that takes. */
  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      while (!this.#isOver) {
        const bytes = await this.#next()
        if (this.#isOver) return
        if (bytes === 'end') {
          this.#end()
          controller.close()
        } else if (bytes !== undefined) {
          controller.enqueue(bytes)
          return
        }
      }
    } catch (error) {
      if (this.#isOver) return
      this.#end()
      void this.#reader?.cancel(error).catch(() => {})
      controller.error(error)
    }
  }

  /** @returns `undefined` if there is nothing yet to deliver */
  async #next(): Promise<Uint8Array | 'end' | undefined> {
    if (this.#reader === undefined) {
      const continuation = await this.#resumption.connect()
      if (continuation === undefined) return 'end'
      this.#read(continuation)
      // The reader has left since the answer came.
      if (this.#isOver) void this.#reader!.cancel().catch(() => {})
    }
    const { splitter } = this.#context
    if (splitter === undefined) {
      const { done, value } = await this.#reader!.read()
      return done ? 'end' : value
    }
    try {
      const { done, value } = await this.#reader!.read()
      const before = splitter.events
      const bytes = done ? splitter.end() : splitter.push(value)
      if (splitter.events > before) this.#resumption.onProgress()
      if (!done) return bytes
      if (bytes || splitter.hasPending) {
        // Only a body that is cut ends like this, even if nothing but an LF is missing.
        this.#interrupted(new TypeError('the body ended in the middle of an event'))
        return bytes
      }
      if (!this.#endsLikeBroken || (await this.#resumption.isOver())) return 'end'
      this.#interrupted(new TypeError('the connection was closed before the end of the body'))
      return undefined
    } catch (error) {
      this.#interrupted(error)
      return undefined
    }
  }

  #read(response: Response): void {
    this.#reader = (response.body as ReadableStream<Uint8Array>).getReader()
    // Node's `fetch` takes any end of such a connection for the end of the body.
    this.#endsLikeBroken = /(?:^|,)\s*close\s*(?:,|$)/i.test(response.headers.get('connection') ?? '')
  }

  #interrupted(error: unknown): void {
    if (this.#isOver) return
    if (error instanceof SplitError) throw this.#failed(error)
    void this.#reader?.cancel(error).catch(() => {})
    this.#reader = undefined
    this.#context.splitter?.restart()
    this.#resumption.onInterrupted(error)
  }

  #failed(error: SplitError): ResumeError {
    const code: ResumeFailure = error.reason === 'other_epoch' ? 'gone' : error.reason
    return new ResumeError(code, `The stream cannot be read on: ${error.message}.`, {
      streamId: this.#context.handle.id,
    })
  }

  /** The reader has aborted or cancelled: closes the connection and, unless it only leaves, stops the provider. */
  #leave(reason: unknown): void {
    if (this.#isOver) return
    this.#end()
    this.#leaving.abort(reason)
    void this.#reader?.cancel(reason).catch(() => {})
    const { handle, options } = this.#context
    // If it fails, the server notices that nobody reads, and stops the provider after its `graceMs`.
    if (options.onAbort === 'stop' && handle.url !== undefined) requestStop(handle, handle.url).catch(() => {})
  }

  #end(): void {
    this.#isOver = true
    this.#context.signal?.removeEventListener('abort', this.#onAbort)
  }
}
