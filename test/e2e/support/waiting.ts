import { setImmediate as nextRound } from 'node:timers/promises'

/** How long a test waits for an event: a guard against hanging, not a measurement. */
const PATIENCE_MS = 10_000

/** Resolves with the promise's value, or rejects with an error that names what did not happen in time. */
export async function within<T>(promise: Promise<T>, what: string, ms = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), ms)
  })
  try {
    return await Promise.race([promise, tooLate])
  } finally {
    clearTimeout(timer)
  }
}

/** Lets the event loop run until a condition holds. */
export async function until(isSo: () => boolean, what: string, ms = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + ms
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await nextRound()
  }
}

/** A queue of events that a test awaits one after another. */
export class Queue<T> {
  readonly all: T[] = []
  readonly #what: string
  readonly #waiting: ((item: T) => void)[] = []
  #taken = 0

  constructor(what: string) {
    this.#what = what
  }

  push(item: T): void {
    this.all.push(item)
    const waiting = this.#waiting.shift()
    if (!waiting) return
    this.#taken++
    waiting(item)
  }

  /** The next item that was not taken yet. */
  next(): Promise<T> {
    if (this.#taken < this.all.length) return Promise.resolve(this.all[this.#taken++]!)
    return within(new Promise<T>((resolve) => this.#waiting.push(resolve)), this.#what)
  }
}

/** Resolves when an emitter has emitted `close`, or if it did so before. */
export function closed(
  emitter: { closed?: boolean; destroyed?: boolean; once(event: 'close', run: () => void): unknown },
  what: string,
): Promise<void> {
  const isClosed = emitter.closed ?? emitter.destroyed
  return within(
    isClosed ? Promise.resolve() : new Promise<void>((resolve) => emitter.once('close', () => resolve())),
    `${what} to close`,
  )
}
