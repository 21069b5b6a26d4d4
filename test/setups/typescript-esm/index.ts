import http from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { type AiProxy, type AiProxyOptions, aiProxy, type ExchangeRecord, withText } from 'express-ai-proxy'

const records: ExchangeRecord[] = []
const provider = http.createServer((_req, res) => {
  res.setHeader('content-type', 'text/event-stream')
  res.end('data: {"hello":"world"}\n\ndata: [DONE]\n\n')
})

provider.listen(0, '127.0.0.1', () => {
  const options: AiProxyOptions = {
    target: urlOf(provider),
    auth: { headers: { authorization: async () => 'Bearer rotating' } },
    // What hooks return may have members that are `undefined`, also with exactOptionalPropertyTypes.
    limits: {
      maxConcurrentStreams: 10,
      perRequest: ({ socket }) => ({ maxOutputTokens: socket.destroyed ? 1 : undefined }),
    },
    onRequest: ({ format }) => (format === 'cohere' ? { status: undefined, headers: undefined, body: {} } : undefined),
    onEvent: (event) => withText(event, (text) => text.trimEnd()),
    onFinish: (record, { req, res }) => {
      records.push(record)
      if (req.originalUrl !== '/ai/v1/chat/completions' || res.statusCode !== 200)
        throw new Error('not typed as Express types')
    },
  }
  const ai: AiProxy = aiProxy(options)
  const app = express()
  app.use('/ai', ai)
  const server = app.listen(0, '127.0.0.1', () => void use(server, ai))
})

async function use(server: http.Server, ai: AiProxy): Promise<void> {
  const answer = await fetch(`${urlOf(server)}/ai/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"model":"a","stream":true}',
  })
  process.stdout.write(await answer.text())
  await ai.close({ graceMs: 100 })
  const outcome: 'completed' | string | undefined = records[0]?.outcome
  if (outcome !== 'completed' || ai.stats().outcomes.completed !== 1 || ai.exchanges().length !== 0)
    process.exitCode = 1
  server.close()
  provider.close()
  server.closeAllConnections()
}

function urlOf(server: http.Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
