import { clock, span } from '../shared/format-values.mjs'

/** The app refused a prompt: the quota of whoever has signed in has no room for it. */
export class QuotaExceeded extends Error {
  /**
   * `reason` is what the app says: which limit, and how much of it is used. `retryAfter` is how many seconds it takes until
   * there is room; `null` if there never is, because the prompt needs more than the whole quota.
   */
  constructor(reason, retryAfter, now = Date.now()) {
    super(`${roomIn(retryAfter, now)}\n${reason}.`)
    this.name = 'QuotaExceeded'
  }
}

function roomIn(retryAfter, now) {
  const ms = Number(retryAfter) * 1000
  if (!(ms > 0)) {
    return 'This prompt may need more than your whole quota of a day. Set a lower “Max tokens”, or begin a new conversation: each prompt sends all of it.'
  }
  return `Your quota has no room for this prompt. There is room again at ${clock(now + ms)}, in ${span(ms)}.`
}
