/** Room for a request at the targets that can serve it. */
export interface Capacity {
  /** Whether all of them have a limit. */
  readonly isBounded: boolean
  /** Whether one of them takes it now. */
  has(): boolean
  /** Calls back whenever one may have more room than before. @returns a function that stops this */
  onMore(callback: () => void): () => void
}

/** One target takes everything. */
export const unlimited: Capacity = { isBounded: false, has: () => true, onMore: () => () => {} }
