import type { Request, RequestHandler } from 'express'

const addedByProxies = /^(?:forwarded|via|x-forwarded(?:-.*)?|x-real-ip|x-client-ip|true-client-ip|cf-connecting-ip)$/

/**
 * Whether the request came through a reverse proxy or a tunnel. Its client may be anybody, although the connection comes
 * from this machine. Old proxies are known by HTTP/1.0, which browsers do not speak.
 */
export function isForwarded(req: Request): boolean {
  return req.httpVersion === '1.0' || Object.keys(req.headers).some((name) => addedByProxies.test(name))
}

/** Refuses what did not come straight from this machine. Use it if the app listens on loopback alone. */
export const directOnly: RequestHandler = (req, res, next) => {
  if (!isForwarded(req)) return next()
  res
    .status(403)
    .json({ error: { message: 'This page asks for no password, so it is not shown through a reverse proxy.' } })
}
