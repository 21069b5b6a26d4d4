/** The Streams page's data and controls. Mount them behind your own sign-in: they show and end everybody's streams. */
import express, { type Request, type Router } from 'express'
import { sameOriginOnly } from '../http/same-origin.js'
import type { Provider } from '../providers/provider.js'
import { DemoStreams } from './demo-streams.js'
import { EventLoopDelay } from './event-loop-delay.js'
import type { ExchangeMonitor } from './exchange-monitor.js'
import { HealthLatency } from './health-latency.js'
import { StateReader } from './state-reader.js'

const KEEP_SECONDS = 180

/**
 * Routes of the Streams page. All are short requests, its state as well: on HTTP/1.1 a browser has six connections per
 * host, so an event stream of each open tab would soon keep the controls waiting.
 */
export function streamsRoutes(monitor: ExchangeMonitor, providers: readonly Provider[]): Router {
  const loop = new EventLoopDelay(KEEP_SECONDS)
  const health = new HealthLatency(KEEP_SECONDS)
  const demo = new DemoStreams()
  monitor.closed.addEventListener('abort', () => {
    for (const part of [loop, health, demo]) part.close()
  })

  const routes = express.Router()
  routes.use(sameOriginOnly)

  const states = new StateReader(monitor, { loop, health })
  routes.get('/state', (req, res) => {
    health.start(ownUrl(req))
    res.set('cache-control', 'no-store').json(states.since(String(req.query.since ?? '')))
  })

  routes.post('/demo', (req, res) => {
    if (!providers.some(({ local }) => local)) {
      return void res.status(404).json({ error: { message: 'All providers are real here: demo streams would cost.' } })
    }
    const started = demo.start(ownUrl(req), providers)
    if (started > 0) res.status(202).json({ started })
    else res.status(429).json({ error: { message: 'There are enough demo streams under way. Wait, or abort some.' } })
  })

  routes.delete('/exchanges/:id', (req, res) => {
    if (monitor.abort(req.params.id)) res.status(204).end()
    else res.status(404).json({ error: { message: 'The exchange has ended already.' } })
  })

  return routes
}

/** Where the app listens, as the connection of a request shows it. */
function ownUrl({ socket }: Request): string {
  const { localAddress = '127.0.0.1', localPort } = socket
  return `http://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`
}
