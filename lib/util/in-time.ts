/**
 * Rejects if a promise is not settled in time: a client may wait for its server for ever.
 *
 * @param what gives no answer
 * @param keepsProcess whether the timer keeps the process running
 */
export function inTime<T>(answer: PromiseLike<T>, ms: number, what: string, keepsProcess = true): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} gave no answer in ${ms} ms`)), ms)
    if (!keepsProcess) timer.unref()
    answer.then(resolve, reject).then(() => clearTimeout(timer))
  })
}
