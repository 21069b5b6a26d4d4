/** Clients that ask again and again for short answers, streams and JSON by turns. */
import { type Agent, type ClientRequest, request } from 'node:http'
import type { Tally } from './messages.js'
import { judge } from './verdict.js'

/** How often each client asks. If its answer takes longer, it asks as soon as that has ended. */
const EVERY_MS = 200

export class ShortRequests {
  /** How the requests have gone so far. */
  readonly tally: Tally = { first: 0, second: 0, error: 0, cutMidAnswer: 0, underWay: 0, isFinishing: false }
  readonly #url: string
  readonly #agent: Agent

  constructor(url: string, agent: Agent) {
    this.#url = url
    this.#agent = agent
  }

  /** Starts a number of clients, one after the other, so that they do not all ask at once. */
  start(clients: number): void {
    for (let n = 0; n < clients; n++) setTimeout(() => this.#ask(n), (EVERY_MS * n) / clients)
  }

  /** Asks nothing more. What is under way may still be answered. */
  finish(): void {
    this.tally.isFinishing = true
  }

  #ask(turn: number): void {
    if (this.tally.isFinishing) return
    const startedAt = performance.now()
    this.tally.underWay++
    const isStream = turn % 2 === 0
    const answer = { status: undefined as number | undefined, isComplete: false, isStream, body: '' }
    const call = post(`${this.#url}/ai/v1/chat/completions`, isStream, this.#agent)
    call.on('response', (response) => {
      answer.status = response.statusCode
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        answer.body += text
      })
      response.on('end', () => {
        answer.isComplete = true
      })
      response.on('error', () => {})
    })
    call.on('error', () => {})
    call.on('close', () => {
      this.tally.underWay--
      this.tally[judge(answer)]++
      setTimeout(() => this.#ask(turn + 1), Math.max(0, startedAt + EVERY_MS - performance.now()))
    })
  }
}

function post(url: string, isStream: boolean, agent: Agent): ClientRequest {
  const body = JSON.stringify({ model: 'outage', stream: isStream, messages: [{ role: 'user', content: 'Go!' }] })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return request(url, { method: 'POST', agent, headers }).end(body)
}
