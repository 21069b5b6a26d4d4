import type { Request, RequestHandler } from 'express'

/**
 * Refuses what another site's page asks for: its scripts, forms, images and links. Browsers say who asks; what is no
 * browser (curl, an SDK) says nothing, and passes.
 */
export const sameOriginOnly: RequestHandler = (req, res, next) => {
  if (isOwn(req)) return next()
  res.status(403).json({ error: { message: 'Only the pages of this app may do that.' } })
}

/** The same for pages: anybody may link to one. */
export const sameOriginOrVisit: RequestHandler = (req, res, next) => {
  const isVisit = req.method === 'GET' && req.get('sec-fetch-mode') === 'navigate'
  if (isVisit) return next()
  sameOriginOnly(req, res, next)
}

function isOwn(req: Request): boolean {
  const site = req.get('sec-fetch-site')
  const isTyped = site === 'none' && req.method === 'GET' // into the address bar
  // No page can set it, and behind a reverse proxy it is right where `Host` is another than the page's.
  if (site !== undefined) return site === 'same-origin' || isTyped
  // Browsers without Sec-Fetch-Site, and all of them over plain HTTP from another machine, send only this.
  const origin = req.get('origin')
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === req.headers.host?.toLowerCase())
}
