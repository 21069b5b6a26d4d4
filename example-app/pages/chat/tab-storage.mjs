/** Keeps a value for as long as the tab lives, across reloads. */
export function save(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value))
  } catch {
    // The storage is full or forbidden. The page works without.
  }
}

/** The value that was saved; `undefined` if there is none. */
export function load(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name)) ?? undefined
  } catch {
    return undefined
  }
}
