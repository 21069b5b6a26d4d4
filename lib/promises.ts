/**
 * Sees to a promise that nobody waits for: what an app's function, that should return no promise, has returned. Its
 * failure would otherwise be nobody's, and end the process.
 *
 * A promise of another realm (`node:vm`, Jest) is no `instanceof Promise`, nor is one of a library's own.
 *
 * @returns whether it is a promise
 */
export function tendsPromise(value: unknown, onRejected: (error: unknown) => void): boolean {
  if (typeof value !== 'object' && typeof value !== 'function') return false
  if (value === null || typeof (value as { then?: unknown }).then !== 'function') return false
  Promise.resolve(value).catch(onRejected)
  return true
}
