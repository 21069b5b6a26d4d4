/** The app sends a state several times a second. Without one for this long, the connection is lost. */
const SILENCE_MS = 5000
/** How long to wait before a connection that the browser has given up is opened again. */
const REOPEN_MS = 1000

/**
 * The one event stream of the page. It connects again for as long as it takes; the first state of each connection has all
 * that is known, and `isFirst`.
 */
export class StateFeed {
  #onState
  #onLost
  #events
  #watchdog

  constructor({ onState, onLost }) {
    this.#onState = onState
    this.#onLost = onLost
    this.#open()
  }

  #open() {
    this.#events = new EventSource('events')
    this.#events.addEventListener('state', ({ data }) => {
      this.#watch()
      this.#onState(JSON.parse(data))
    })
    this.#events.addEventListener('error', () => {
      this.#onLost()
      // After a refusal, as while the app starts, a browser does not try again by itself.
      if (this.#events.readyState === EventSource.CLOSED) setTimeout(() => this.#open(), REOPEN_MS)
    })
    this.#watch()
  }

  /** A connection may be lost without an error, as after a sleep of the machine. */
  #watch() {
    clearTimeout(this.#watchdog)
    this.#watchdog = setTimeout(() => {
      this.#onLost()
      this.#events.close()
      this.#open()
    }, SILENCE_MS)
  }
}
