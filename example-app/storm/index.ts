/** The Storm page. It starts processes that use all the CPU they get: not a thing to leave open to strangers. */
import path from 'node:path'
import express, { type Router } from 'express'
import { openPush } from '../push.js'
import { sameOriginOnly, sameOriginOrVisit } from '../same-origin-only.js'
import { type StormOrder, storm } from './storm.js'
import { kinds } from './wire.js'

export function stormRoutes(): Router {
  let isBusy = false

  const routes = express.Router()
  routes.use(sameOriginOrVisit, express.static(path.join(__dirname, 'public')))
  routes.use(sameOriginOnly)

  // A storm lasts as long as its response: who leaves ends it.
  routes.post('/runs', express.json(), async (req, res) => {
    const order = orderOf(req.body)
    if (!order) return refuse(res, 400, `Send {kind: ${kinds.join(' | ')}, streams: 1 to 300, seconds: 1 to 20}.`)
    if (isBusy) return refuse(res, 409, 'A storm is under way already. Two at once would measure each other.')

    isBusy = true
    const push = openPush(res)
    try {
      await storm(order, push.send, push.over)
      push.send('done', {})
    } catch (error) {
      if (!push.over.aborted) push.send('failed', { message: (error as Error).message })
    } finally {
      isBusy = false
      res.end()
    }
  })

  return routes
}

function refuse(res: express.Response, status: number, message: string): void {
  res.status(status).json({ error: { message } })
}

function orderOf(body: Record<string, unknown> | undefined): StormOrder | undefined {
  const kind = kinds.find((one) => one === body?.kind)
  const streams = Number(body?.streams)
  const seconds = Number(body?.seconds)
  const isSane = Number.isInteger(streams) && streams >= 1 && streams <= 300 && seconds >= 1 && seconds <= 20
  return kind && isSane ? { kind, streams, seconds } : undefined
}
