/**
 * Sees to a promise that nobody waits for: what an app's function, that should return no promise, has returned. Its
 * failure would otherwise be nobody's, and end the process.
 *
 * A promise of another realm (`node:vm`, Jest) is no `instanceof Promise`, nor is one of a library's own.
 *
 * @returns whether it is a promise
 */
export function catchRejection(value: unknown, onRejected: (error: unknown) => void): boolean {
  if (!isThenable(value)) return false
  toPromise(value).then(undefined, onRejected)
  return true
}

/** Whether `await` would wait for it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' && typeof value !== 'function') return false
  return value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** A promise of ours for whatever `then` belongs to; it asks once, and rejects where `then` itself throws. */
export function toPromise<T>(value: PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => resolve(value))
}
