import type { RequestHandler } from 'express'

/** Whether only this machine reaches what listens on `address`, as `server.address()` tells it. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
}

const loopbackHost = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i

/**
 * Refuses requests for any name but this machine's own. A site can have its name point to 127.0.0.1 (DNS rebinding);
 * then browsers take this app for a part of that site, and only the `Host` header tells.
 */
export const loopbackNamesOnly: RequestHandler = (req, res, next) => {
  if (loopbackHost.test(req.headers.host ?? '')) return next()
  const message = 'This app listens on this machine alone. Ask for localhost or 127.0.0.1, or set HOST to serve others.'
  res.status(403).json({ error: { message } })
}
