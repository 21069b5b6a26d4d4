import { type ClientRequest, request } from 'node:http'
import type { Provider, ProviderId } from '../providers/provider.js'

/** What the app asks a stand-in for, in each protocol. */
const requests: Readonly<Record<ProviderId, (model: string) => { path: string; body: object }>> = {
  openai: (model) => ({ path: '/v1/chat/completions', body: { model, stream: true, messages: [asked] } }),
  anthropic: (model) => ({ path: '/v1/messages', body: { model, stream: true, max_tokens: 2048, messages: [asked] } }),
  gemini: (model) => ({
    path: `/v1beta/models/${encodeURIComponent(model)}:streamGenerateContent?alt=sse`,
    body: { contents: [{ role: 'user', parts: [{ text: asked.content }] }] },
  }),
}
const asked = { role: 'user', content: 'Tell me a long story.' }

/**
 * Clients that ask the app for streams, so that the page has something to show. They run on the server: a browser has six
 * connections per host, and streams of the page's own would keep its controls waiting.
 */
export class DemoStreams {
  readonly #running = new Set<ClientRequest>()
  readonly #limit: number

  /** @param limit how many may run at once */
  constructor(limit = 60) {
    this.#limit = limit
  }

  /**
   * Starts a stream of each stand-in; they cost nothing.
   *
   * @param url the app's own
   * @returns how many were started: none if that would be more than the limit
   */
  start(url: string, providers: readonly Provider[]): number {
    const local = providers.filter((provider) => provider.local)
    if (this.#running.size + local.length > this.#limit) return 0
    for (const { id, route, model } of local) {
      const { path, body } = requests[id](model)
      this.#send(`${url}${route}${path}`, body)
    }
    return local.length
  }

  #send(url: string, body: object): void {
    const headers = { 'content-type': 'application/json', 'user-agent': 'demo' }
    const call = request(url, { method: 'POST', headers, agent: false }, (answer) => {
      answer.on('error', () => {}).resume()
    })
    this.#running.add(call)
    call.on('error', () => {}) // the page shows how the exchange ended
    call.on('close', () => this.#running.delete(call))
    call.end(JSON.stringify(body))
  }

  /** Ends them all. */
  close(): void {
    for (const call of this.#running) call.destroy()
  }
}
