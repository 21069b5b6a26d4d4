/** Room for a request at the targets that can serve it. */
export interface Capacity {
  /** Whether all of them have a limit. */
  readonly isBounded: boolean
  /** Whether one of them takes it now, besides the requests that hold a place. */
  has(): boolean
  /** Holds a place for it until it goes out. */
  hold(): void
  /** Gives the place back, if it holds one: it goes out now, or it has ended. */
  release(): void
  /** Calls back whenever one may have more room than before. @returns a function that stops this */
  onMore(callback: () => void): () => void
}

/** One target takes everything. */
export const unlimited: Capacity = {
  isBounded: false,
  has: () => true,
  hold: () => {},
  release: () => {},
  onMore: () => () => {},
}
