/** Signs two demo users in, without a password. Your app has a sign-in of its own instead. */
import type { IncomingMessage } from 'node:http'
import type { Response } from 'express'

/** What a user pays for. */
export type Tier = 'paid' | 'free' | 'guest'

export interface User {
  readonly id: string
  readonly name: string
  /** `undefined` for those who belong to none. */
  readonly team: string | undefined
  readonly tier: Tier
}

/** Who can sign in: the first one is signed in when a browser opens the Chat page. */
export const demoUsers: readonly [User, ...User[]] = [
  { id: 'ada', name: 'Ada', team: 'Acme', tier: 'paid' },
  { id: 'bo', name: 'Bo', team: 'Umbrella', tier: 'free' },
]

/** The subject of requests without a sign-in: from curl, an SDK, the demo streams. */
export const guest: User = { id: 'guest', name: 'Not signed in', team: undefined, tier: 'guest' }

const NAME = 'example-user'
const cookie = new RegExp(`(?:^|; ?)${NAME}=([a-z]+)(?:;|$)`)

/** Returns whose request it is. */
export function userOf({ headers }: IncomingMessage): User {
  const id = cookie.exec(headers.cookie ?? '')?.[1]
  return demoUsers.find((user) => user.id === id) ?? guest
}

/** Returns whether a request is a user's, and no guest's. */
export function isSignedIn(req: IncomingMessage): boolean {
  return userOf(req) !== guest
}

/** Signs a user in, in the browser that gets this response. */
export function signIn(res: Response, user: User): void {
  res.cookie(NAME, user.id, { httpOnly: true, sameSite: 'strict' })
}
