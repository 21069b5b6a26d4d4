import type { RequestHandler } from 'express'

/** Answers what no route has. Express would do so with a policy of its own in place of the one that the app has set. */
export const notFound: RequestHandler = (req, res) => {
  res.status(404).json({ error: { message: `There is no ${req.method} ${req.path.slice(0, 200)} here.` } })
}

/** Adds the slash after the name of a page, which the page's relative links need. */
export const addSlash: RequestHandler = (req, res, next) => {
  const [path, query] = req.originalUrl.split(/\?(.*)/s)
  if (req.path !== '/' || path!.endsWith('/')) return next()
  const name = path!.slice(path!.lastIndexOf('/') + 1)
  res.redirect(301, `${name}/${query === undefined ? '' : `?${query}`}`)
}
