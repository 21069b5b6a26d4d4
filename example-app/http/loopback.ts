import type { RequestHandler } from 'express'

/** Whether only this machine reaches a server on `address`, as `server.address()` returns it. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
}

const loopbackHost = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i

/**
 * Refuses requests for any host name but this machine's own. A site can point its name to 127.0.0.1 (DNS rebinding).
 * Browsers then take this app for a part of that site, and only the `Host` header tells them apart.
 */
export const loopbackHostsOnly: RequestHandler = (req, res, next) => {
  if (loopbackHost.test(req.headers.host ?? '')) return next()
  const message = 'This app listens on this machine alone. Ask for localhost or 127.0.0.1, or set HOST to serve others.'
  res.status(403).json({ error: { message } })
}
