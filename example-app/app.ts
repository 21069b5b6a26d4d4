/** The Express app: a middleware for each provider, and what the pages need beside them. */
import path from 'node:path'
import express from 'express'
import { aiProxy } from 'express-ai-proxy'
import { dashboardRoutes } from './dashboard/index.js'
import { LiveExchanges } from './dashboard/live-exchanges.js'
import { directOnly, isForwarded } from './direct-only.js'
import { loopbackNamesOnly } from './loopback.js'
import { pageHeaders } from './page-headers.js'
import type { Provider } from './provider.js'
import { Records } from './records.js'
import { refusals } from './refusals.js'
import { sameOriginOnly, sameOriginOrVisit } from './same-origin-only.js'
import { stormRoutes } from './storm/index.js'
import { visitorOf, welcome } from './visitor.js'

interface AppOptions {
  /** Mounts the Streams and the Storm page. Default: false. */
  dashboard?: boolean
  /** The app listens on this machine alone, so requests for other names are refused. Default: true. */
  loopback?: boolean
}

/**
 * The dashboard is off unless the app asks for it. It is no part of the package: the package stays light, and who may
 * look at an app's streams, and end them, only the app's own sign-in can tell.
 */
export function makeApp(providers: readonly Provider[], { dashboard = false, loopback = true }: AppOptions = {}) {
  const records = new Records()
  const live = dashboard ? new LiveExchanges() : undefined

  const app = express()
  app.disable('x-powered-by')
  app.use(pageHeaders)
  if (loopback) app.use(loopbackNamesOnly)

  const proxies = providers.map(({ id, route, target, auth }) => {
    const proxy = aiProxy({
      target,
      auth,
      observers: live ? [live.observer(id)] : [],
      onFinish(record, req) {
        const visitor = visitorOf(req)
        const id = req.get('x-request-id')
        if (visitor && id) records.add(`${visitor} ${id}`, record)
      },
    })
    live?.watch(id, proxy)

    // In your app, whoever may spend your key is checked as well: app.use('/ai', sameOriginOnly, signedInUsersOnly, proxy)
    app.use(route, sameOriginOnly, proxy)
    return proxy
  })

  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' })
  })

  app.use(sameOriginOrVisit, express.static(path.join(__dirname, 'public')))

  if (live) {
    // In your app: app.use('/dashboard', administratorsOnly, dashboardRoutes(live))
    app.use('/dashboard', directOnly, dashboardRoutes(live))
    app.use('/storm', directOnly, stormRoutes())
  }

  app.use(sameOriginOnly)

  // What the pages may know. Targets and keys stay here.
  app.get('/settings', welcome, (req, res) => {
    const known = providers.map(({ id, title, route, name, local, model, examples }) => {
      return { id, title, route, name, local, model, examples }
    })
    res.json({ providers: known, dashboard: dashboard && !isForwarded(req) })
  })

  app.get('/records/:id', async (req, res) => {
    const visitor = visitorOf(req)
    const record = visitor && (await records.get(`${visitor} ${req.params.id}`))
    if (record) res.json(record)
    else
      res.status(404).json({ error: { message: 'No exchange of yours with this x-request-id has finished lately.' } })
  })

  app.use(refusals)

  async function close(options: { graceMs: number }) {
    live?.close()
    await Promise.all(proxies.map((proxy) => proxy.close(options)))
  }

  return { app, close }
}
