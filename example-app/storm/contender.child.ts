/** One of the two proxies of a storm, in a process of its own: an Express app with `/health`, and the proxy at `/ai`. */
import { Agent } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type RequestHandler } from 'express'
import { aiProxy } from 'express-ai-proxy'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { type Contender, type ContenderState, providerNames } from './messages.js'

const [contender, target, another] = process.argv.slice(2) as [Contender, string, string?]

const proxies: Record<Contender, () => RequestHandler> = {
  ours: () => {
    if (another === undefined) return aiProxy({ target })
    const [name, otherName] = providerNames
    return aiProxy({
      targets: [
        { name, target },
        { name: otherName, target: another },
      ],
    })
  },
  // It knows one target.
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
