/**
 * Keeps users from being switched while any tab gets an answer. An answer belongs to the user who asked: under another
 * sign-in it could be neither continued nor stopped.
 */
const NAME = 'signed-in user'
let underWay = 0

/** Does something for the signed-in user. Throws the signal's reason if it is aborted before it has begun. */
export async function forThisUser(act, { signal }) {
  if (navigator.locks) return navigator.locks.request(NAME, { mode: 'shared', signal }, act)
  underWay++ // without HTTPS or localhost, of this tab alone
  try {
    return await act()
  } finally {
    underWay--
  }
}

/** Does something while nothing is under way for the signed-in user; otherwise resolves with `undefined`. */
export async function betweenUsers(act) {
  if (navigator.locks) return navigator.locks.request(NAME, { ifAvailable: true }, (lock) => (lock ? act() : undefined))
  return underWay > 0 ? undefined : act()
}
