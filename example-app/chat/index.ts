/** The Chat page and its data: who answers, and the record of each answer. */
import express, { type Router } from 'express'
import { isForwarded } from '../http/direct-only.js'
import { sameOriginOnly } from '../http/same-origin.js'
import { setVisitorCookie, visitorOf } from '../http/visitor.js'
import type { Provider } from '../providers/provider.js'
import type { RecentRecords } from './recent-records.js'

interface ChatOptions {
  providers: readonly Provider[]
  records: RecentRecords
  /** Whether the Streams and the Storm page are mounted. */
  dashboard: boolean
}

/** Routes of the Chat page's data. */
export function chatRoutes({ providers, records, dashboard }: ChatOptions): Router {
  const routes = express.Router()
  routes.use(sameOriginOnly)

  // What the pages may know. Targets and keys stay on the server.
  routes.get('/settings', setVisitorCookie, (req, res) => {
    const known = providers.map(({ id, title, route, name, local, model, examples }) => {
      return { id, title, route, name, local, model, examples }
    })
    res.json({ providers: known, dashboard: dashboard && !isForwarded(req) })
  })

  routes.get('/records/:id', async (req, res) => {
    const visitor = visitorOf(req)
    const record = visitor && (await records.get(recordKey(visitor, req.params.id)))
    if (record) res.json(record)
    else res.status(404).json({ error: { message: 'None of your recent requests had this x-request-id.' } })
  })

  return routes
}

/** The key of a record. Only the visitor whose exchange it was can ask for it. */
export function recordKey(visitor: string, requestId: string): string {
  return `${visitor} ${requestId}`
}
