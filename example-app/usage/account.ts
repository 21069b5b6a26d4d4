/** The account of the signed-in user: the name, and what is left of the day. */
import express, { type Response, type Router } from 'express'
import { sameOriginOnly } from '../http/same-origin.js'
import { demoUsers, guest, signIn, type User, userOf } from '../http/sign-in.js'
import { type DayQuota, nextDay } from './day-quota.js'

/** Routes of the account. A browser in which nobody has signed in gets the first demo user's. */
export function accountRoutes(quota: DayQuota): Router {
  const routes = express.Router()
  routes.use(sameOriginOnly)

  async function answer(res: Response, user: User) {
    const left = await quota.leftFor(user)
    res.set('cache-control', 'no-store').json({ user: user.id, users: demoUsers, left, resetsAt: nextDay() })
  }

  routes.get('/', async (req, res) => {
    const known = userOf(req)
    const user = known === guest ? demoUsers[0] : known
    if (user !== known) signIn(res, user)
    await answer(res, user)
  })

  routes.put('/user', express.json({ limit: '1kb' }), async (req, res) => {
    const user = demoUsers.find(({ id }) => id === req.body?.id)
    if (!user) return void res.status(400).json({ error: { message: 'There is no demo user with this id.' } })
    signIn(res, user)
    await answer(res, user)
  })

  return routes
}
