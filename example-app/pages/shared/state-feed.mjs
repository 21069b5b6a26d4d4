/** How long to wait after a failure. */
const RETRY_MS = 1000
/** Without a state for this long, the connection is lost; it may be without an error, as after a sleep of the machine. */
const SILENCE_MS = 5000

/**
 * Asks the app for its state, again and again, and for as long as it takes if the connection is lost.
 *
 * An event stream would hold one of the browser's connections for every open tab (see connections.mjs). Each state here
 * is a short request, and a tab that nobody sees asks for none. After the first state, whose `isFirst` is true, the app
 * sends what is new since the last; it sends all that it knows again if it has been restarted. `everyMs` is how long after a
 * state the next one is asked for.
 */
export class StateFeed {
  #onState
  #onLost
  #everyMs
  #next = ''
  #timer
  #isAsking = false

  constructor({ everyMs, onState, onLost }) {
    this.#everyMs = everyMs
    this.#onState = onState
    this.#onLost = onLost
    document.addEventListener('visibilitychange', () => this.#ask())
    this.#ask()
  }

  async #ask() {
    clearTimeout(this.#timer)
    if (document.hidden || this.#isAsking) return
    this.#isAsking = true
    const state = await this.#fetchState()
    this.#isAsking = false
    if (state) {
      this.#next = state.next
      this.#onState(state)
    } else {
      this.#onLost()
    }
    this.#timer = setTimeout(() => this.#ask(), state ? this.#everyMs : RETRY_MS)
  }

  async #fetchState() {
    try {
      const response = await fetch(`state?since=${encodeURIComponent(this.#next)}`, {
        signal: AbortSignal.timeout(SILENCE_MS),
      })
      return response.ok ? await response.json() : undefined
    } catch {
      return undefined
    }
  }
}
