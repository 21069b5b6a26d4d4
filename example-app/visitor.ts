/** Tells browsers apart, in place of a sign-in: by a random cookie. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { RequestHandler } from 'express'

const NAME = 'example-visitor'
const sent = new RegExp(`(?:^|; ?)${NAME}=([0-9a-f]{32})(?:;|$)`)

export function visitorOf({ headers }: IncomingMessage): string | undefined {
  return sent.exec(headers.cookie ?? '')?.[1]
}

/** Gives a visitor who has no cookie one. */
export const welcome: RequestHandler = (req, res, next) => {
  if (!visitorOf(req)) res.cookie(NAME, randomBytes(16).toString('hex'), { httpOnly: true, sameSite: 'strict' })
  next()
}
