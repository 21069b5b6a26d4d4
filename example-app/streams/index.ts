/** The Streams page's data and controls. Mount them behind your own sign-in: they show and end everybody's streams. */
import express, { type Request, type Router } from 'express'
import { openEventStream } from '../http/event-stream.js'
import { sameOriginOnly } from '../http/same-origin.js'
import type { Provider } from '../providers/provider.js'
import { DemoStreams } from './demo-streams.js'
import { EventLoopDelay } from './event-loop-delay.js'
import type { ExchangeMonitor } from './exchange-monitor.js'
import { HealthLatency } from './health-latency.js'

const SEND_EVERY_MS = 400
const KEEP_SECONDS = 180

/**
 * Routes of the Streams page. One event stream feeds a page; everything else is a short request, because a browser has
 * six connections per host on HTTP/1.1.
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

  routes.get('/events', (req, res) => {
    health.start(ownUrl(req))
    const events = openEventStream(res)
    let isFirst = true
    let finishedUntil = 0
    let samplesUntil = 0

    // The first event has all that is known, so a page that connects again is up to date at once.
    function send() {
      if (events.isBehind) return // a page that cannot keep up gets a newer state later, not all old ones
      const isNew = ({ at }: { at: number }) => at > samplesUntil
      const samples = { loop: loop.history.filter(isNew), health: health.history.filter(isNew) }
      const finished = monitor.finishedSince(finishedUntil)
      events.send('state', {
        isFirst,
        at: Date.now(),
        gauges: monitor.gauges,
        active: monitor.active,
        finished,
        ...samples,
      })
      isFirst = false
      finishedUntil = monitor.finishedCount
      samplesUntil = Math.max(samplesUntil, ...[...samples.loop, ...samples.health].map(({ at }) => at))
    }
    send()
    const timer = setInterval(send, SEND_EVERY_MS)
    const end = () => res.end()
    monitor.closed.addEventListener('abort', end)
    events.closed.addEventListener('abort', () => {
      clearInterval(timer)
      monitor.closed.removeEventListener('abort', end)
    })
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
