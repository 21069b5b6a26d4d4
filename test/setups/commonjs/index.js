const http = require('node:http')
const express = require('express')
const { aiProxy } = require('express-ai-proxy')

const provider = http.createServer((_req, res) => {
  res.setHeader('content-type', 'text/event-stream')
  res.end('data: {"hello":"world"}\n\ndata: [DONE]\n\n')
})
provider.listen(0, '127.0.0.1', () => {
  const app = express()
  const ai = aiProxy({ target: `http://127.0.0.1:${provider.address().port}` })
  app.use('/ai', ai)
  const server = app.listen(0, '127.0.0.1', async () => {
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
  })
})
