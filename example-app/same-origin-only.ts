import type { RequestHandler } from 'express'

/** Refuses what another site's page asks for. Browsers say who asks; what is no browser (curl) has no such header. */
export const sameOriginOnly: RequestHandler = (req, res, next) => {
  const site = req.get('sec-fetch-site')
  // Anybody may link to a page, and type its address.
  const isVisit = req.method === 'GET' && req.get('sec-fetch-mode') === 'navigate'
  if (site === undefined || site === 'same-origin' || isVisit) return next()
  res.status(403).json({ error: { message: 'Only the pages of this app may do that.' } })
}
