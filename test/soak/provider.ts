import http from 'node:http'
import { Call, listen, type Owner } from '../e2e/support/provider.js'
import type { Attempts } from './attempts.js'
import { targetOf } from './targets.js'

/** The provider, and all targets: the id of each request decides how it is answered. */
export class SoakProvider {
  /** The number of open connections. */
  connections = 0

  readonly #attempts: Attempts
  readonly #acts = new Map<string, { act: (call: Call) => unknown; arrived: (call: Call) => void }>()

  /** @param attempts takes note of each request */
  constructor(attempts: Attempts) {
    this.#attempts = attempts
  }

  async listen(owner: Owner): Promise<string> {
    const server = http.createServer((req, res) => {
      const call = new Call(req, res)
      const id = String(req.headers['x-request-id'])
      this.#attempts.see(id, targetOf(call))
      const entry = this.#acts.get(id)
      entry?.arrived(call)
      entry?.act(call)
    })
    // Only the proxy closes connections.
    server.keepAliveTimeout = 0
    server.on('connection', (socket) => {
      this.connections++
      socket.on('error', () => {}).on('close', () => this.connections--)
    })
    return `http://127.0.0.1:${await listen(owner, server)}`
  }

  /** Sets how the request is answered. @returns a promise of the first request */
  expect(id: string, act: (call: Call) => unknown): Promise<Call> {
    return new Promise((arrived) => this.#acts.set(id, { act, arrived }))
  }

  forget(id: string): void {
    this.#acts.delete(id)
  }
}
