/**
 * Handles the rejection of a promise that nobody awaits: one returned by an app's function that should not return any.
 * Unhandled, the rejection would end the process.
 *
 * A promise from another realm (`node:vm`, Jest) or from a library is not an `instanceof Promise`.
 *
 * @returns whether the value is a promise
 */
export function catchRejection(value: unknown, onRejected: (error: unknown) => void): boolean {
  if (!isThenable(value)) return false
  toPromise(value).then(undefined, onRejected)
  return true
}

/**
 * Handles the rejection of a promise that stands where a value is due at once. That it does is the fault to report; what it
 * settles to does not matter.
 *
 * @returns whether the value is a promise
 */
export function ignoreRejection(value: unknown): boolean {
  return catchRejection(value, () => {})
}

/** Levels of the values that the app's functions return: labels of a subject, headers of a refusal, rules of a list. */
const LEVELS = 3

/** Handles the rejections of all promises in a value that is refused, where none of them is due. */
export function ignoreRejectionsIn(value: unknown, levels: number = LEVELS): void {
  if (ignoreRejection(value) || levels === 0 || typeof value !== 'object' || value === null) return
  for (const member of Object.values(value)) ignoreRejectionsIn(member, levels - 1)
}

/** Returns whether `await` would wait for the value. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' && typeof value !== 'function') return false
  return value !== null && typeof (value as { then?: unknown }).then === 'function'
}

/** Converts any thenable to a native promise. Reads `then` once, and rejects if `then` throws. */
export function toPromise<T>(value: PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => resolve(value))
}
