/** The Express app: a middleware for each provider, and the pages. */
import path from 'node:path'
import express from 'express'
import { aiProxy } from 'express-ai-proxy'
import { type Journal, memoryJournal } from 'express-ai-proxy/journal'
import { memoryStore, type QuotaStore } from 'express-ai-proxy/quota'
import { chatRoutes, recordKey } from './chat/index.js'
import { RecentRecords } from './chat/recent-records.js'
import { directOnly } from './http/direct-only.js'
import { errorHandler } from './http/error-handler.js'
import { loopbackHostsOnly } from './http/loopback.js'
import { addSlash, notFound } from './http/not-found.js'
import { sameOriginOnly, sameOriginOrNavigation } from './http/same-origin.js'
import { securityHeaders } from './http/security-headers.js'
import { isSignedIn, type User, userOf } from './http/sign-in.js'
import { vendorRoutes } from './http/vendor.js'
import { clientNameOf, visitorOf } from './http/visitor.js'
import type { ModelPriceTable } from './providers/prices.js'
import type { Provider } from './providers/provider.js'
import { stormRoutes } from './storm/index.js'
import { ExchangeMonitor } from './streams/exchange-monitor.js'
import { streamsRoutes } from './streams/index.js'
import { accountRoutes } from './usage/account.js'
import { DayQuota, dayLimits, type LimitsByTier } from './usage/day-quota.js'
import { usageRoutes } from './usage/index.js'
import { UsageLedger } from './usage/usage-ledger.js'

interface AppOptions {
  /** Mounts the Streams, the Usage and the Storm page. Default: false. */
  dashboard?: boolean
  /** The app listens on this machine alone, so it refuses requests for other names. Default: true. */
  loopback?: boolean
  /** Prices by model, for the cost of an answer. Default: none, so no cost is shown, and money is not limited. */
  prices?: ModelPriceTable
  /** Where quotas are kept. Default: in this process. */
  store?: QuotaStore
  /** Where answers are kept. Default: in this process. The app does not close one that is given. */
  journal?: Journal
  /** What users may use on one day. Default: `dayLimits`. */
  limits?: LimitsByTier
}

/** How long an answer is kept for those who ask the same. */
const CACHED_MS = 10 * 60_000

const pages = path.join(__dirname, 'pages')
const files = (name: string) => express.static(path.join(pages, name), { redirect: false })
const page = (name: string) => [sameOriginOrNavigation, addSlash, files(name)]

/**
 * Makes the app. The Streams page is off unless the app asks for it. It is no part of the package: the package stays
 * light, and only the app's own sign-in can tell who may look at its streams and end them.
 */
export function makeApp(
  providers: readonly Provider[],
  {
    dashboard = false,
    loopback = true,
    prices = {},
    store = memoryStore(),
    limits = dayLimits,
    ...given
  }: AppOptions = {},
) {
  const records = new RecentRecords()
  const monitor = dashboard ? new ExchangeMonitor() : undefined
  const ledger = new UsageLedger()
  const hasPrices = Object.keys(prices).length > 0
  const quota = new DayQuota({ store, limits, hasPrices })
  const journal = given.journal ?? memoryJournal()

  const app = express()
  app.disable('x-powered-by')
  app.use(securityHeaders)
  if (loopback) app.use(loopbackHostsOnly)

  const proxies = providers.map(({ id: provider, route, target, auth }) => {
    const proxy = aiProxy({
      target,
      auth,
      // In your app: the user whom your own sign-in has put on the request, and `null` for nobody.
      identify(req) {
        const { id, team, tier } = userOf(req)
        return { id, tenant: team, tier }
      },
      // A lost connection does not stop the provider: the page comes back for the rest of the answer. Guests cannot be told
      // apart, so that nothing of theirs is kept.
      resume: { journal, who: (req) => (isSignedIn(req) ? userOf(req).id : null) },
      // The members of a team see each other's answers.
      cache: {
        journal,
        ttlMs: CACHED_MS,
        scope: (req) => scopeOf(userOf(req)),
        when: ({ body }, { req }) => isSignedIn(req) && (body as { temperature?: unknown }).temperature === 0,
      },
      policies: [quota.policy],
      prices: hasPrices ? prices : undefined,
      observers: monitor ? [monitor.observer(clientNameOf)] : [],
      onFinish(record, { req }) {
        monitor?.add({ provider, client: clientNameOf(req), ...record })
        // A GET continues the answer to another request, which has a record of its own.
        if (record.method !== 'POST') return
        const [visitor, requestId] = [visitorOf(req), req.get('x-request-id')]
        if (visitor && requestId) records.add(recordKey(visitor, requestId), record)
        ledger.add(record)
      },
    })
    monitor?.watch(provider, proxy)

    // In your app, check who may spend your key as well: app.use('/ai', sameOriginOnly, signedInUsersOnly, proxy)
    app.use(route, sameOriginOnly, proxy)
    return proxy
  })

  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' })
  })

  app.get('/', sameOriginOrNavigation, (_req, res) => res.redirect('chat/'))
  app.use('/shared', sameOriginOrNavigation, files('shared'))
  app.use('/vendor', sameOriginOrNavigation, vendorRoutes())
  app.use('/chat', page('chat'))
  if (monitor) {
    // In your app: app.use('/streams', administratorsOnly, …)
    app.use('/streams', directOnly, page('streams'), streamsRoutes(monitor, providers))
    app.use('/usage', directOnly, page('usage'), usageRoutes({ monitor, ledger, quota }))
    app.use('/storm', directOnly, page('storm'), stormRoutes())
  }
  app.use('/account', accountRoutes(quota))
  app.use(chatRoutes({ providers, records, dashboard }))
  app.use(notFound)
  app.use(errorHandler)

  async function close(options: { graceMs: number }) {
    monitor?.close()
    await Promise.all(proxies.map((proxy) => proxy.close(options)))
    if (!given.journal) await journal.close()
  }

  return { app, close }
}

/** Names those who share kept answers. */
function scopeOf({ id, team }: User): string {
  return team === undefined ? `user ${id}` : `team ${team}`
}
