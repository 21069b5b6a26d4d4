import type { HeldShare } from '../exchange/held-bytes.js'
import { runInTurns } from '../scheduling/run-in-turns.js'
import type { TurnScheduler } from '../scheduling/turns.js'
import type { IncrementalTask } from '../util/incremental-task.js'

/** Resources for reading a body. */
export interface ReadResources {
  /** Accounts for the memory that the body takes. */
  readonly share: HeldShare
  /** Runs long work on the body in turns. */
  readonly turns: TurnScheduler
}

/** Larger bodies are scanned for what the proxy needs, and the provider validates them. */
export const MAX_PARSED_BYTES = 256 * 1024

/** Runs work on a body: at once if the body is small, otherwise in turns. */
export function runTask<T>(work: IncrementalTask<T>, bytes: number, resources: ReadResources): T | Promise<T> {
  if (bytes > MAX_PARSED_BYTES) return runTaskInTurns(resources, work)
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** Runs long work in turns, and abandons it once the request is over. */
export function runTaskInTurns<T>({ share, turns }: ReadResources, work: IncrementalTask<T>): Promise<T> {
  return runInTurns(work, turns, () => share.isClosed)
}
