import net, { type Socket } from 'node:net'
import type { Owner } from './provider.js'
import { closed, within } from './waiting.js'

/** Posts JSON with `fetch`. */
export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: JSON.stringify(body),
    ...init,
    headers: { 'content-type': 'application/json', ...init.headers },
  })
}

/** Reads a response event by event, each as the bytes that were received. */
export class Events {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #text = ''

  constructor(response: Response) {
    this.#reader = response.body!.getReader()
  }

  /** The next event, or the remainder at the end; `undefined` if there is none. */
  async next(): Promise<string | undefined> {
    return within(this.#next(), 'the next event')
  }

  /** All remaining events. */
  async rest(): Promise<string[]> {
    const all: string[] = []
    for (let event = await this.next(); event !== undefined; event = await this.next()) all.push(event)
    return all
  }

  async #next(): Promise<string | undefined> {
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#text)
      if (end) return this.#take(end.index + end[0].length)
      const { done, value } = await this.#reader.read()
      if (done) return this.#text === '' ? undefined : this.#take(this.#text.length)
      this.#text += this.#decoder.decode(value, { stream: true })
    }
  }

  #take(length: number): string {
    const event = this.#text.slice(0, length)
    this.#text = this.#text.slice(length)
    return event
  }
}

/** A client on a raw socket, for what no HTTP client would do. */
export class RawClient {
  readonly socket: Socket
  /** Everything received, as latin1. */
  text = ''
  /** The offset up to which `sees()` has already searched. */
  #seen = 0

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text) => {
      this.text += text
    })
    socket.on('error', () => {})
  }

  write(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  /** Sends a request. A body gets a `content-length`. */
  request(method: string, url: string, headers: Record<string, string> = {}, body?: string): this {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body, 'latin1')) }
    const lines = Object.entries({ host: 'app.test', ...length, ...headers }).map(
      ([name, value]) => `${name}: ${value}`,
    )
    return this.write(`${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body ?? ''}`)
  }

  /** Posts JSON. */
  post(url: string, body: unknown): this {
    return this.request('POST', url, { 'content-type': 'application/json' }, JSON.stringify(body))
  }

  /** Waits for a text after those awaited before. @returns everything up to the end of that text */
  async sees(what: string | RegExp): Promise<string> {
    const pattern = new RegExp(
      typeof what === 'string' ? what.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : what.source,
      'g',
    )
    const found = async () => {
      for (;;) {
        pattern.lastIndex = this.#seen
        if (pattern.test(this.text)) break
        if (this.socket.destroyed) throw new Error(`the connection closed before ${what}; what came: ${this.text}`)
        await new Promise<void>((resolve) => {
          const done = () => {
            this.socket.off('data', done).off('close', done)
            resolve()
          }
          this.socket.on('data', done).on('close', done)
        })
      }
      const seen = this.text.slice(this.#seen, pattern.lastIndex)
      this.#seen = pattern.lastIndex
      return seen
    }
    return within(found(), `${what} at the client; what came: ${this.text.slice(0, 500)}`)
  }

  /** Waits until the server has closed the connection. @returns everything received */
  async end(): Promise<string> {
    await closed(this.socket, "the client's connection")
    return this.text
  }

  pause(): this {
    this.socket.pause()
    return this
  }

  leave(): void {
    this.socket.destroy()
  }
}

export async function connect(t: Owner, port: number): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  t.after(() => socket.destroy())
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return new RawClient(socket)
}
