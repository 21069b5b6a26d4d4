/** The Streams page, and what it is fed with. Mount it behind your own sign-in: it shows and ends everybody's streams. */
import path from 'node:path'
import express, { type Router } from 'express'
import { openPush } from '../push.js'
import { sameOriginOnly, sameOriginOrVisit } from '../same-origin-only.js'
import { EventLoopDelay } from './event-loop.js'
import type { LiveExchanges } from './live-exchanges.js'

const PUSH_EVERY_MS = 400

export function dashboardRoutes(live: LiveExchanges): Router {
  const loop = new EventLoopDelay()
  live.over.addEventListener('abort', () => loop.close())

  const routes = express.Router()
  routes.use(sameOriginOrVisit, express.static(path.join(__dirname, 'public')))
  routes.use(sameOriginOnly)

  routes.get('/events', (_req, res) => {
    const push = openPush(res)
    let samplesUntil = 0
    let finished: unknown

    function tick() {
      if (push.isBehind) return // a page that cannot keep up gets a newer state later, not all old ones
      const samples = loop.history.filter(({ at }) => at > samplesUntil)
      samplesUntil = samples.at(-1)?.at ?? samplesUntil
      const hasFinished = finished !== live.finished
      finished = live.finished
      push.send('state', {
        at: Date.now(),
        gauges: live.gauges,
        active: live.active,
        ...(hasFinished && { finished }),
        loop: samples,
      })
    }
    tick()
    const timer = setInterval(tick, PUSH_EVERY_MS)
    const end = () => res.end()
    live.over.addEventListener('abort', end)
    push.over.addEventListener('abort', () => {
      clearInterval(timer)
      live.over.removeEventListener('abort', end)
    })
  })

  routes.delete('/exchanges/:id', (req, res) => {
    if (live.abort(req.params.id)) res.status(204).end()
    else res.status(404).json({ error: { message: 'No such exchange is under way.' } })
  })

  return routes
}
