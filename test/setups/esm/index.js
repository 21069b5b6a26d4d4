import { once } from 'node:events'
import http from 'node:http'
import { createRequire } from 'node:module'
import express from 'express'
import { aiProxy } from 'express-ai-proxy'

// However it is loaded, a process has one of it: its streams share one turn scheduler.
if (createRequire(import.meta.url)('express-ai-proxy').aiProxy !== aiProxy) throw new Error('loaded twice')

const provider = http.createServer((_req, res) => {
  res.setHeader('content-type', 'text/event-stream')
  res.end('data: {"hello":"world"}\n\ndata: [DONE]\n\n')
})
await once(provider.listen(0, '127.0.0.1'), 'listening')
const app = express()
const ai = aiProxy({ target: `http://127.0.0.1:${provider.address().port}` })
app.use('/ai', ai)
const server = app.listen(0, '127.0.0.1')
await once(server, 'listening')
const answer = await fetch(`http://127.0.0.1:${server.address().port}/ai/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"model":"a","stream":true}',
})
process.stdout.write(await answer.text())
await ai.close()
server.close()
provider.close()
server.closeAllConnections()
