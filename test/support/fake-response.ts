import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'

/** The part of `ServerResponse` that the package uses; records what is done with it. */
export class FakeResponse extends EventEmitter {
  statusCode = 200
  headersSent = false
  writableEnded = false
  destroyed = false
  closed = false
  readonly chunkedEncoding = true
  readonly socket = Object.assign(new EventEmitter(), { destroyed: false })
  flushes = 0
  /** What `write()` returns. */
  keepsUp = true
  readonly writes: string[] = []
  readonly #headers = new Map<string, unknown>()

  /** The same object, typed as a `ServerResponse`. */
  get asServerResponse(): ServerResponse {
    return this as unknown as ServerResponse
  }

  get body(): string {
    return this.writes.join('')
  }

  setHeader(name: string, value: unknown): this {
    this.#headers.set(name.toLowerCase(), value)
    return this
  }

  getHeader(name: string): unknown {
    return this.#headers.get(name.toLowerCase())
  }

  hasHeader(name: string): boolean {
    return this.#headers.has(name.toLowerCase())
  }

  flushHeaders(): void {
    this.headersSent = true
  }

  get writableNeedDrain(): boolean {
    return !this.keepsUp
  }

  write(bytes: Buffer): boolean {
    this.headersSent = true
    this.writes.push(bytes.toString('latin1'))
    return this.keepsUp
  }

  end(last?: Buffer | string): this {
    this.headersSent = true
    this.writableEnded = true
    if (last !== undefined) this.writes.push(typeof last === 'string' ? last : last.toString('latin1'))
    return this
  }

  destroy(): this {
    if (this.destroyed) return this
    this.destroyed = this.closed = this.socket.destroyed = true
    this.emit('close')
    return this
  }

  /** Simulates that the client has read everything. */
  drain(): void {
    this.keepsUp = true
    this.emit('drain')
  }

  /** Simulates that the client has received everything. */
  finish(): void {
    this.emit('finish')
    this.closed = true
    this.emit('close')
  }
}
