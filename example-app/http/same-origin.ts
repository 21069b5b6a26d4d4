import type { Request, RequestHandler } from 'express'

/**
 * Refuses what another site's page asks for: its scripts, forms, images and links. Browsers say who asks. Other clients
 * (curl, an SDK) say nothing, and pass.
 */
export const sameOriginOnly: RequestHandler = (req, res, next) => {
  if (isSameOrigin(req)) return next()
  res.status(403).json({ error: { message: 'Only the pages of this app may do that.' } })
}

/** The same for pages, to which anybody may link. */
export const sameOriginOrNavigation: RequestHandler = (req, res, next) => {
  const isNavigation = req.method === 'GET' && req.get('sec-fetch-mode') === 'navigate'
  if (isNavigation) return next()
  sameOriginOnly(req, res, next)
}

function isSameOrigin(req: Request): boolean {
  const site = req.get('sec-fetch-site')
  const isTyped = site === 'none' && req.method === 'GET' // into the address bar
  // No page can set it, and behind a reverse proxy it is right even if `Host` differs from the page's.
  if (site !== undefined) return site === 'same-origin' || isTyped
  // Browsers without Sec-Fetch-Site, and all of them over plain HTTP from another machine, send only this.
  const origin = req.get('origin')
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === req.headers.host?.toLowerCase())
}
