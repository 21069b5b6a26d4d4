import assert from 'node:assert/strict'

export const ID = 'abcdefghij0123456789_-'
export const ORIGIN = 'https://app.example'
export const STREAM_PATH = `/ai/-/streams/${ID}`

type Fetch = typeof globalThis.fetch
type Init = NonNullable<Parameters<Fetch>[1]>

/** How a connection breaks: after so many bytes of its body, with an error, or as if the body were over. */
export interface Cut {
  readonly after: number
  readonly how: 'error' | 'end'
}

/** A request that the server got. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly init: Init
}

export interface FakeStream {
  /** The events as the provider sends them, each whole. */
  readonly events: readonly Uint8Array[]
  /** Default `text/event-stream`. */
  readonly contentType?: string
  readonly epoch?: string
  /** Comments are no events, so they have no id. */
  readonly isComment?: (event: Uint8Array) => boolean
}

/**
 * A server that keeps the protocol of resumable streams, as a `fetch`: without sockets, so that a test decides at
 * which byte each connection breaks, and into which chunks its bytes are cut.
 */
export class FakeServer {
  /** How each connection breaks, the first one first; those that follow do not. */
  readonly cuts: (Cut | undefined)[] = []
  /** What the next requests that are to continue the stream get in place of the rest. */
  readonly answers: ((seen: Seen) => Response | Promise<Response>)[] = []
  /** Headers of the streams beside those that each has. */
  readonly headers: Record<string, string> = { 'x-stream-url': STREAM_PATH }
  /** What the next requests that ask how the stream stands get. */
  readonly stands: (() => Response | Promise<Response>)[] = []
  /** How it stands otherwise. */
  state = 'complete'
  readonly requests: Seen[] = []
  /** Lengths of the chunks, again and again. */
  chunks: readonly number[] = [Number.POSITIVE_INFINITY]
  /** Bodies that do not break stay open when all is sent, as if the provider thought about more. */
  staysOpen = false
  /** Bytes that the bodies' reader has asked for and got. */
  sentBytes = 0
  /** Reasons with which bodies were cancelled. */
  readonly cancelled: unknown[] = []
  #stopped: () => void = () => {}
  /** Settles with the first `DELETE`. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#stopped = resolve
  })
  readonly #stream: FakeStream

  constructor(stream: FakeStream) {
    this.#stream = stream
  }

  /** The whole body, as a client gets it that never loses its connection. */
  get whole(): Buffer {
    return Buffer.concat(this.#numbered(-1))
  }

  get epoch(): string {
    return this.#stream.epoch ?? 'k1'
  }

  /** URLs of the requests to continue the stream, without the stream's path. */
  get resumed(): string[] {
    const path = ORIGIN + STREAM_PATH
    return this.requests
      .filter(({ method, url }) => method === 'GET' && url.startsWith(path))
      .map(({ url }) => url.slice(path.length))
  }

  readonly fetch: Fetch = async (input, init = {}) => {
    const request = new Request(typeof input === 'string' ? new URL(input, ORIGIN) : input, init as RequestInit)
    const response = await this.#answerTo(request, init)
    Object.defineProperty(response, 'url', { value: request.url, configurable: true })
    return response
  }

  async #answerTo(request: Request, init: Init): Promise<Response> {
    const seen: Seen = { method: request.method, url: request.url, headers: request.headers, init }
    this.requests.push(seen)
    request.signal.throwIfAborted()
    const url = new URL(request.url)
    if (url.pathname !== STREAM_PATH) return this.#answer(-1, this.headers, request.signal)
    if (request.method === 'DELETE') {
      this.#stopped()
      return new Response(null, { status: 204 })
    }
    if (request.method === 'HEAD') {
      const stand = { 'x-stream-state': this.state, 'x-stream-newest': `${this.#count()}` }
      return this.stands.shift()?.() ?? new Response(null, { headers: stand })
    }
    assert.equal(request.method, 'GET')
    assert.equal(await request.text(), '')
    const answer = this.answers.shift()
    if (answer) return answer(seen)
    const [, epoch, n] = /^(?:([^.]+)\.)?(\d+)$/.exec(url.searchParams.get('after') ?? '') ?? assert.fail(url.href)
    if (epoch !== undefined && epoch !== this.epoch) return this.gone()
    if (Number(n) >= this.#count()) return new Response(null, { status: 204 })
    return this.#answer(Number(n), this.headers, request.signal)
  }

  gone(): Response {
    return Response.json({ error: { code: 'resume_gone', message: 'too late' } }, { status: 410 })
  }

  #isSse(): boolean {
    return (this.#stream.contentType ?? 'text/event-stream').startsWith('text/event-stream')
  }

  #counts(event: Uint8Array): boolean {
    return !this.#stream.isComment?.(event)
  }

  #count(): number {
    return this.#stream.events.filter((event) => this.#counts(event)).length
  }

  /** What follows the first `after` events, each event with its id; -1 for everything from the start. */
  #numbered(after: number): Buffer[] {
    let n = 0
    const pieces: Buffer[] = []
    for (const event of this.#stream.events) {
      const id = this.#counts(event) && this.#isSse() ? `id: ${this.epoch}.${n + 1}\n` : ''
      if (this.#counts(event)) n++
      if (n > after) pieces.push(Buffer.concat([Buffer.from(id), event]))
    }
    return pieces
  }

  #answer(after: number, headers: Record<string, string>, signal: AbortSignal): Response {
    const bytes = Buffer.concat(this.#numbered(after))
    return new Response(this.#body(bytes, this.cuts.shift(), signal), {
      headers: { 'content-type': this.#stream.contentType ?? 'text/event-stream', 'x-stream-id': ID, ...headers },
    })
  }

  #body(bytes: Buffer, cut: Cut | undefined, signal: AbortSignal): ReadableStream<Uint8Array> {
    const end = Math.min(bytes.length, cut?.after ?? bytes.length)
    let at = 0
    let chunk = 0
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => signal.addEventListener('abort', () => controller.error(signal.reason), { once: true }),
        pull: (controller) => {
          if (at === end) {
            if (this.staysOpen && !cut) return new Promise(() => {})
            if (cut?.how === 'error') controller.error(new TypeError('terminated'))
            else controller.close()
            return undefined
          }
          const next = Math.min(end, at + this.chunks[chunk++ % this.chunks.length]!)
          // A copy, as of a socket: the client may keep it.
          controller.enqueue(new Uint8Array(bytes.subarray(at, next)))
          this.sentBytes += next - at
          at = next
          return undefined
        },
        cancel: (reason) => {
          this.cancelled.push(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }
}
