import http from 'node:http'
import { Call, listen, type Owner } from '../e2e/support/provider.js'

/** The provider: the id of each request decides how it is answered. */
export class SoakProvider {
  /** The number of open connections. */
  connections = 0

  readonly #acts = new Map<string, { act: (call: Call) => unknown; arrived: (call: Call) => void }>()

  async listen(owner: Owner): Promise<string> {
    const server = http.createServer((req, res) => {
      const call = new Call(req, res)
      call.socket.on('error', () => {})
      const entry = this.#acts.get(String(req.headers['x-request-id']))
      entry?.arrived(call)
      entry?.act(call)
    })
    // Only the proxy closes connections.
    server.keepAliveTimeout = 0
    server.on('connection', (socket) => {
      this.connections++
      socket.on('close', () => this.connections--)
    })
    return `http://127.0.0.1:${await listen(owner, server)}`
  }

  /** Sets how the request is answered. @returns a promise of the request */
  expect(id: string, act: (call: Call) => unknown): Promise<Call> {
    return new Promise((arrived) => this.#acts.set(id, { act, arrived }))
  }

  forget(id: string): void {
    this.#acts.delete(id)
  }
}
