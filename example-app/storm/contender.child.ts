/** One of the two proxies of a storm, in a process of its own: an Express app with `/health`, and the proxy at `/ai`. */
import { Agent } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { aiProxy } from 'express-ai-proxy'
import { createProxyMiddleware } from 'http-proxy-middleware'
import type { Contender, ContenderState } from './messages.js'

const [contender, target] = process.argv.slice(2) as [Contender, string]

const proxies: Record<Contender, () => RequestHandler> = {
  ours: () => aiProxy({ target }),
  plain: () => createProxyMiddleware({ target, changeOrigin: true, agent: new Agent({ keepAlive: true }) }),
}

const app = express()
app.get('/health', (_req, res) => {
  res.json({ status: 'ok' })
})
app.use('/ai', proxies[contender]())

const server = app.listen(0, '127.0.0.1', 1024, () => {
  const { port } = server.address() as AddressInfo
  const report = () => process.send?.({ port, rssBytes: process.memoryUsage.rss() } satisfies ContenderState)
  report()
  setInterval(report, 100)
})
process.on('disconnect', () => process.exit())
