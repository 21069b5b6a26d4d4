/** The Express app: a middleware for each provider, and what the pages need beside them. */
import path from 'node:path'
import express from 'express'
import { aiProxy } from 'express-ai-proxy'
import { dashboardRoutes } from './dashboard/index.js'
import { LiveExchanges } from './dashboard/live-exchanges.js'
import { pageHeaders } from './page-headers.js'
import type { Provider } from './provider.js'
import { Records } from './records.js'
import { stormRoutes } from './storm/index.js'

/**
 * The dashboard is off unless the app asks for it. It is no part of the package: the package stays light, and who may
 * look at an app's streams, and end them, only the app's own sign-in can tell.
 */
export function makeApp(providers: readonly Provider[], { dashboard = false } = {}) {
  const records = new Records()
  const live = dashboard ? new LiveExchanges() : undefined

  const app = express()
  app.disable('x-powered-by')

  const proxies = providers.map(({ id, route, target, auth }) => {
    const proxy = aiProxy({
      target,
      auth,
      observers: live ? [live.observer(id)] : [],
      onFinish(record, req) {
        records.add(req.get('x-request-id') ?? record.id, record)
      },
    })
    live?.watch(id, proxy)

    // In your app, whoever may spend your key is checked first: app.use('/ai', signedInUsersOnly, proxy)
    app.use(route, proxy)
    return proxy
  })

  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' })
  })

  app.use(pageHeaders)

  // What the pages may know. Targets and keys stay here.
  app.get('/settings', (_req, res) => {
    const known = providers.map(({ id, title, route, name, local, model, examples }) => {
      return { id, title, route, name, local, model, examples }
    })
    res.json({ providers: known, dashboard })
  })

  app.get('/records/:id', async (req, res) => {
    const record = await records.get(req.params.id)
    if (record) res.json(record)
    else res.status(404).json({ error: { message: 'No exchange with this x-request-id has finished lately.' } })
  })

  app.use(express.static(path.join(__dirname, 'public')))

  if (live) {
    // In your app: app.use('/dashboard', administratorsOnly, dashboardRoutes(live))
    app.use('/dashboard', dashboardRoutes(live))
    app.use('/storm', stormRoutes())
  }

  async function close(options: { graceMs: number }) {
    live?.close()
    await Promise.all(proxies.map((proxy) => proxy.close(options)))
  }

  return { app, close }
}
