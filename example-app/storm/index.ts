/** The Storm page's data. It starts processes that use all the CPU they get, so do not leave it open to strangers. */
import express, { type Router } from 'express'
import { openEventStream } from '../http/event-stream.js'
import { sameOriginOnly } from '../http/same-origin.js'
import { kinds } from './messages.js'
import { runStorm, type StormOptions } from './run-storm.js'
import { contenderVersions } from './versions.js'

/** Routes of the Storm page's data. */
export function stormRoutes(): Router {
  let isBusy = false

  const routes = express.Router()
  routes.use(sameOriginOnly)

  routes.get('/versions', (_req, res) => {
    res.json(contenderVersions)
  })

  // A storm lasts as long as its response: a client that leaves ends it.
  routes.post('/runs', express.json(), async (req, res) => {
    const options = parseOptions(req.body)
    if (!options) return refuse(res, 400, `Send {kind: ${kinds.join(' | ')}, streams: 1 to 300, seconds: 1 to 20}.`)
    if (isBusy) return refuse(res, 409, 'A storm is under way already. Two at once would disturb each other.')

    isBusy = true
    const events = openEventStream(res)
    try {
      await runStorm(options, events.send, events.closed)
      events.send('done', {})
    } catch (error) {
      if (!events.closed.aborted) events.send('failed', { message: (error as Error).message })
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

function parseOptions(body: Record<string, unknown> | undefined): StormOptions | undefined {
  const kind = kinds.find((one) => one === body?.kind)
  const streams = Number(body?.streams)
  const seconds = Number(body?.seconds)
  const isValid = Number.isInteger(streams) && streams >= 1 && streams <= 300 && seconds >= 1 && seconds <= 20
  return kind && isValid ? { kind, streams, seconds } : undefined
}
