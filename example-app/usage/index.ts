/** The Usage page's data. Mount it behind your own sign-in: it shows what everybody uses. */
import express, { type Router } from 'express'
import { sameOriginOnly } from '../http/same-origin.js'
import { demoUsers, guest } from '../http/sign-in.js'
import type { ExchangeMonitor } from '../streams/exchange-monitor.js'
import { type DayQuota, nextDay } from './day-quota.js'
import type { UsageLedger } from './usage-ledger.js'

interface UsageOptions {
  monitor: ExchangeMonitor
  ledger: UsageLedger
  quota: DayQuota
}

/** Routes of the Usage page. Its state is a short request, as that of the Streams page. */
export function usageRoutes({ monitor, ledger, quota }: UsageOptions): Router {
  const since = Date.now()
  const routes = express.Router()
  routes.use(sameOriginOnly)

  routes.get('/state', async (_req, res) => {
    const users = await Promise.all(
      [...demoUsers, guest].map(async (user) => ({ ...user, left: await quota.leftFor(user) })),
    )
    // Who continues an answer, or gets a kept one, uses nothing.
    const active = monitor.active
      .filter(({ asksProvider }) => asksProvider)
      .map(({ subject, model, outputTokens }) => ({ user: subject, model, outputTokens }))
    const state = { at: Date.now(), since, resetsAt: nextDay(), users, rows: ledger.rows, active }
    res.set('cache-control', 'no-store').json(state)
  })

  return routes
}
