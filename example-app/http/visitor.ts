/** Tells browsers apart by a random cookie. Your app has a sign-in instead. */
import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'

const NAME = 'example-visitor'
const cookie = new RegExp(`(?:^|; ?)${NAME}=([0-9a-f]{32})(?:;|$)`)

/** The secret id that a browser was given. Whoever knows it may read this visitor's records. */
export function visitorOf({ headers }: IncomingMessage): string | undefined {
  return cookie.exec(headers.cookie ?? '')?.[1]
}

/** A name for the Streams page: of the visitor, without the secret, or of a client that is no browser. */
export function clientNameOf(req: IncomingMessage): string {
  const visitor = visitorOf(req)
  if (visitor) return `visitor ${createHash('sha256').update(visitor).digest('hex').slice(0, 6)}`
  const [product] = /^[\w.-]+(?:\/[\w.-]+)?/.exec(req.headers['user-agent'] ?? '') ?? []
  return product?.slice(0, 40) ?? 'unknown'
}

/** Gives a cookie to a visitor who has none. */
export const setVisitorCookie: RequestHandler = (req, res, next) => {
  if (!visitorOf(req)) res.cookie(NAME, randomBytes(16).toString('hex'), { httpOnly: true, sameSite: 'strict' })
  next()
}
