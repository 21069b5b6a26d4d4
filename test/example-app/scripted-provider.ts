import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { knownProviders, type Provider, type ProviderId } from '../../example-app/providers/provider.js'
import { closed, urlOf } from './running-app.js'

/** How each protocol sends a piece of text, and says that it is done. */
const events: Record<ProviderId, { piece(text: string): object; end: string[] }> = {
  openai: {
    piece: (content) => ({ choices: [{ delta: { content } }] }),
    end: [
      JSON.stringify({ choices: [], usage: { prompt_tokens: 1000, completion_tokens: 500, total_tokens: 1500 } }),
      '[DONE]',
    ],
  },
  anthropic: {
    piece: (text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    end: [JSON.stringify({ type: 'message_stop' })],
  },
  gemini: {
    piece: (text) => ({ candidates: [{ content: { parts: [{ text }] } }] }),
    end: [JSON.stringify({ candidates: [{ content: { parts: [] }, finishReason: 'STOP' }] })],
  },
}

/** One request that came, and the pen to answer it with. */
export interface Asked {
  path: string
  body: Record<string, unknown>
  write(text: string): void
  /** Sends an event as it is. */
  send(data: string): void
  end(): void
  refuse(status: number): void
  /** Answers with JSON in place of a stream. */
  json(status: number, body: string): void
  /** Resolves when its connection has closed, or the answer is sent. */
  readonly gone: Promise<unknown>
  readonly isOpen: boolean
}

/** A provider whose requests a test sees and answers itself, one after another. */
export async function scriptedProvider(t: TestContext, id: ProviderId = 'openai') {
  const waiting: Asked[] = []
  let count = 0
  const server = createServer(async (req, res) => {
    if (req.method === 'GET') return void res.end(JSON.stringify({ data: [{ id: 'model-b' }, { id: 'model-a' }] }))
    count++
    const body = (await json(req)) as Record<string, unknown>
    waiting.push(Object.assign(penFor(id, res), { path: req.url ?? '', body }))
    server.emit('asked')
  }).listen(0, '127.0.0.1')
  t.after(() => closed(server))

  const { title, route } = knownProviders[id]
  const target = await urlOf(server)
  const known = { id, title, route, name: 'scripted', local: false, model: 'scripted-1', examples: [] }
  const provider: Provider = { ...known, target, async close() {} }
  return {
    provider,
    /** The next request. */
    async next(): Promise<Asked> {
      while (waiting.length === 0) await once(server, 'asked')
      return waiting.shift()!
    },
    /** How many requests have come so far. */
    get count() {
      return count
    },
  }
}

function penFor(id: ProviderId, res: ServerResponse) {
  const { piece, end } = events[id]
  const gone = once(res, 'close')
  const write = (data: string) => {
    if (!res.headersSent) res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(`data: ${data}\n\n`)
  }
  return {
    write: (text: string) => write(JSON.stringify(piece(text))),
    send: write,
    end() {
      for (const data of end) write(data)
      res.end()
    },
    refuse(status: number) {
      this.json(status, JSON.stringify({ error: { message: 'Not now.', code: 'busy' } }))
    },
    json(status: number, body: string) {
      res.writeHead(status, { 'content-type': 'application/json' })
      res.end(body)
    },
    gone,
    get isOpen() {
      return !res.closed
    },
  }
}
