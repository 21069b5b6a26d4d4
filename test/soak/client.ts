import http, { type Agent, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { MARK } from './events.js'

/** A client's request. */
export interface Ask {
  readonly path: string
  readonly headers: Record<string, string>
  /** `undefined` for a GET. */
  readonly body: string | undefined
}

/** One request and its answer, which is counted, not kept. */
export class Client {
  status = 0
  headers: http.IncomingHttpHeaders = {}
  bytes = 0
  events = 0
  /** The end of what was received, where errors are. */
  tail = ''
  /** Resolves when the first bytes of the answer have arrived. */
  readonly begun: Promise<void>
  /** Resolves at the end of the answer, with `whole` if it is complete in HTTP. */
  readonly over: Promise<'whole' | 'cut'>

  readonly #req: http.ClientRequest
  #res: IncomingMessage | undefined
  #pause: { everyBytes: number; ms: number } | undefined
  #read = 0

  constructor(port: number, { path, headers, body }: Ask, agent: Agent) {
    const { promise: begun, resolve: begin } = promised<void>()
    const { promise: over, resolve: end } = promised<'whole' | 'cut'>()
    this.begun = begun
    this.over = over
    const length = body !== undefined && { 'content-length': Buffer.byteLength(body) }
    this.#req = http.request({
      port,
      host: '127.0.0.1',
      agent,
      method: body === undefined ? 'GET' : 'POST',
      path,
      headers: { ...headers, ...length },
    })
    this.#req.on('error', () => {}).on('close', () => end('cut'))
    this.#req.on('response', (res) => {
      this.#res = res
      this.status = res.statusCode ?? 0
      this.headers = res.headers
      res.on('data', (chunk: Buffer) => {
        begin()
        this.#count(chunk)
      })
      res.on('error', () => {}).on('end', () => end('whole'))
    })
    this.#req.end(body)
  }

  leave(): void {
    this.#req.destroy()
  }

  /** Pauses after every so many bytes; `Infinity` milliseconds stop reading for good. */
  readSlowly(everyBytes: number, ms: number): this {
    this.#pause = { everyBytes, ms }
    return this
  }

  #count(chunk: Buffer): void {
    this.bytes += chunk.length
    for (let at = chunk.indexOf(MARK); at !== -1; at = chunk.indexOf(MARK, at + 1)) this.events++
    this.tail = (this.tail + chunk.toString('latin1', Math.max(0, chunk.length - 500))).slice(-500)
    if (!this.#pause) return
    this.#read += chunk.length
    if (this.#read < this.#pause.everyBytes) return
    this.#read = 0
    this.#res?.pause()
    if (this.#pause.ms !== Number.POSITIVE_INFINITY) void sleep(this.#pause.ms).then(() => this.#res?.resume())
  }
}

function promised<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((given) => {
    resolve = given
  })
  return { promise, resolve }
}
