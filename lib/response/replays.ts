import { Replay, type ReplayRequest, type ReplayResult, type ReplayTarget } from './replay.js'

/** The kept answers that one request is answered with: another follows only one of which nothing was sent. */
export class Replays {
  readonly #target: ReplayTarget
  #current: Replay | undefined

  constructor(target: ReplayTarget) {
    this.#target = target
  }

  /** The one that goes out. */
  get current(): Replay | undefined {
    return this.#current
  }

  /** Answers with a kept answer. @returns a promise of what came of it */
  async answer(request: ReplayRequest): Promise<ReplayResult> {
    const replay = new Replay(request, this.#target)
    this.#current = replay
    const result = await replay.result
    if (result !== 'served') this.#current = undefined
    return result
  }
}
