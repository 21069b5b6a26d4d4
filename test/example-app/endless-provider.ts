import { EventEmitter } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import { knownProviders, type Provider, type ProviderId } from '../../example-app/providers/provider.js'
import { closed, urlOf } from './running-app.js'

const events: Record<ProviderId, object> = {
  openai: { choices: [{ delta: { content: 'word ' } }] },
  anthropic: { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'word ' } },
  gemini: { candidates: [{ content: { parts: [{ text: 'word ' }] } }] },
}

/** A provider that says one word after another, for as long as somebody listens. (aimock goes on when nobody does.) */
export async function endlessProvider(t: TestContext, id: ProviderId = 'openai') {
  const requests = new EventEmitter<{ request: [ServerResponse] }>()
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    const timer = setInterval(() => res.write(`data: ${JSON.stringify(events[id])}\n\n`), 20)
    res.on('close', () => clearInterval(timer))
    requests.emit('request', res)
  }).listen(0, '127.0.0.1')
  t.after(() => closed(server))
  return { url: await urlOf(server), requests }
}

/** Such a provider of each format, as stand-ins of the app. */
export function endlessProviders(t: TestContext): Promise<Provider[]> {
  return Promise.all(
    (['openai', 'anthropic', 'gemini'] as const).map(async (id): Promise<Provider> => {
      const { title, route } = knownProviders[id]
      const { url } = await endlessProvider(t, id)
      const known = { id, title, route, name: 'endless', local: true, model: 'stand-in', examples: [] }
      return { ...known, target: url, async close() {} }
    }),
  )
}
