import { setImmediate as nextRound } from 'node:timers/promises'

/** How long a test waits for what must happen: a guard against hanging, nothing is measured by it. */
const PATIENCE_MS = 10_000

/** The promise's value; an error that says what did not happen, where it takes for ever. */
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

/** Lets the event loop go round until something is so. */
export async function until(isSo: () => boolean, what: string, ms = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + ms
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await nextRound()
  }
}

/** Things that happen, to be awaited one after the other. */
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

  /** The next one that nobody has taken yet. */
  next(): Promise<T> {
    if (this.#taken < this.all.length) return Promise.resolve(this.all[this.#taken++]!)
    return within(new Promise<T>((resolve) => this.#waiting.push(resolve)), this.#what)
  }
}

/** Resolves when an emitter says `close`, or has said so before. */
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
