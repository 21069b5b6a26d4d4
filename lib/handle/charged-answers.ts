import type { Exchange } from '../exchange/exchange.js'
import { answerIdIn, keepsAnswers } from '../formats/index.js'
import { RecentIds } from '../util/recent-ids.js'

const MAX_IDS = 10_000

/**
 * Remembers the answers kept by providers whose usage has been recorded: reading such an answer again makes no model
 * write. An answer that is written in the background reports its usage only to those who read it.
 */
export class ChargedAnswers {
  readonly #ids = new RecentIds(MAX_IDS)

  /** Returns whether a request reads an answer of which the usage has been recorded. */
  has({ path, format }: Exchange): boolean {
    const id = answerIdIn(path, format)
    return id !== undefined && this.#ids.has(id)
  }

  /** Lets an exchange that has ended have the usage of its answer, unless an earlier one has had it. */
  note(exchange: Exchange): void {
    if (!keepsAnswers(exchange.format)) return
    exchange.finishMetering()
    const { answer, path, asksForStream } = exchange
    const requested = answerIdIn(path, exchange.format)
    const id = requested ?? answer.responseId
    if (id === undefined) return
    // What has been written so far will be in the usage of the whole.
    const isPending = answer.isPending && !asksForStream
    const isWhole = answer.usage !== undefined || answer.finishReason !== undefined
    const isRead = requested !== undefined && (this.#ids.has(id) || !(isWhole || asksForStream))
    if (isPending || isRead) answer.disregardUsage()
    else if (isWhole) this.#ids.add(id)
  }
}
