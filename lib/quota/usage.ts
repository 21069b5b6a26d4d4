import type { BucketState, Window } from './store.js'

/** Returns how much of a bucket counts now, without leases. */
export function usedIn(state: BucketState, window: Window, now: number): number {
  if (window.kind !== 'sliding') return window.kind === 'none' ? 0 : state.current
  return state.current + state.previous * (1 - (now % window.ms) / window.ms)
}

/**
 * Returns how long it takes until there is room for an amount, if nothing else is counted meanwhile; `Infinity` if
 * it never does.
 */
export function fitsIn(state: BucketState, window: Window, allowed: number, amount: number, now: number): number {
  if (amount > allowed) return Number.POSITIVE_INFINITY
  const room = allowed - amount
  if (usedIn(state, window, now) <= room) return 0
  if (window.kind === 'none') return 0
  if (window.kind === 'calendar') return endOf(window.starts, now) - now
  const { ms } = window
  const end = ms - (now % ms)
  // In this window the previous one fades; in the next one, this one does.
  if (state.current <= room) return Math.max(0, ms * (1 - (room - state.current) / state.previous) - (now % ms))
  return end + Math.max(0, ms * (1 - room / state.current))
}

/** Returns how long it takes until nothing that was counted by now counts any more. */
export function clearsIn(state: BucketState, window: Window, now: number): number {
  if (window.kind === 'none') return 0
  if (window.kind === 'calendar') return endOf(window.starts, now) - now
  const end = window.ms - (now % window.ms)
  if (state.current > 0) return end + window.ms
  return state.previous > 0 ? end : 0
}

function endOf(starts: readonly number[], now: number): number {
  return starts.find((start) => start > now) ?? now
}

/** Returns the windows around now: their numbers, or their starts. */
export function windowsAt(
  window: Window,
  now: number,
): { readonly current: number | undefined; readonly previous: number | undefined; readonly next: number | undefined } {
  if (window.kind === 'none') return { current: undefined, previous: undefined, next: undefined }
  if (window.kind === 'sliding') {
    const current = Math.floor(now / window.ms)
    return { current, previous: current - 1, next: current + 1 }
  }
  return {
    current: window.starts.findLast((start) => start <= now) ?? window.starts[0],
    previous: undefined,
    next: window.starts.find((start) => start > now),
  }
}
