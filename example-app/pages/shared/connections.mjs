/**
 * On HTTP/1.1 a browser has six connections per host for all of its tabs. If streams held all of them, every other
 * request would wait for one to end, such as the abort of a stream. So the pages' streams share five.
 */
const STREAMS_AT_ONCE = 5
const names = Array.from({ length: STREAMS_AT_ONCE }, (_, index) => `stream ${index + 1}`)

/**
 * Does something that keeps a connection busy, once fewer than five streams of this app's tabs are under way. Throws the
 * signal's reason if it is aborted before.
 *
 * @param act its promise ends with the stream
 * @param onWait called if it has to wait
 */
export async function asOneOfTheStreams(act, { signal, onWait }) {
  if (!navigator.locks) return act() // they need HTTPS or localhost
  const release = (await takeFreeLock()) ?? (await waitForLock(signal, onWait))
  try {
    return await act()
  } finally {
    release()
  }
}

/** @returns what releases the lock; `undefined` if none is free */
async function takeFreeLock() {
  for (const name of names) {
    const release = await new Promise((resolve) => {
      navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? held(resolve) : resolve(undefined)))
    })
    if (release) return release
  }
  return undefined
}

/** Waits for all locks at once, and keeps the first that is free. */
function waitForLock(signal, onWait) {
  onWait()
  const isFound = new AbortController()
  const waiting = AbortSignal.any([signal, isFound.signal])
  return new Promise((resolve, reject) => {
    for (const name of names) {
      const request = navigator.locks.request(name, { signal: waiting }, () => {
        if (isFound.signal.aborted) return undefined // two were free at once
        isFound.abort()
        return held(resolve)
      })
      request.catch(reject) // without effect once a lock has been found
    }
  })
}

/** Keeps a lock until the function is called that goes to `onHeld`. */
function held(onHeld) {
  return new Promise((release) => onHeld(release))
}
