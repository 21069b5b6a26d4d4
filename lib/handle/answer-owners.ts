import { AiProxyError } from '../api/errors.js'
import type { Journal } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { answerIdIn, keepsAnswers } from '../formats/index.js'
import { subjectKey } from '../journal/stream-ids.js'
import type { ResolvedResume } from '../options/resume.js'
import type { ResponseController } from '../response/response-controller.js'
import { catchRejection } from '../util/promises.js'
import { askApp } from './ask-app.js'

/** How long it is known whose an answer is: long enough for one that is written in the background. */
const OWNED_MS = 24 * 60 * 60_000

/** Who had which answer made, of those that providers keep: only the same may read, cancel or delete it. */
export class AnswerOwners {
  readonly #journal: Journal
  readonly #resume: ResolvedResume
  /** Exchanges whose answer may be kept by the provider. */
  readonly #readers = new WeakMap<Exchange, string>()

  constructor(journal: Journal, resume: ResolvedResume) {
    this.#journal = journal
    this.#resume = resume
  }

  /**
   * Lets a request about an answer pass if the answer is the subject's; notes who asks for a new one.
   *
   * @throws AiProxyError `stream_not_found`; `journal_unavailable`
   */
  async admit(exchange: Exchange, controller: ResponseController, path: string): Promise<void> {
    if (!keepsAnswers(exchange.format.name)) return
    const who = await askApp('resume.who', exchange, controller, () => this.#resume.who(exchange.hookView()))
    if (exchange.isSettled) return
    const reader = who === undefined ? undefined : subjectKey(who)
    const id = answerIdIn(path)
    if (id !== undefined) return this.#check(id, reader)
    if (reader !== undefined) this.#readers.set(exchange, reader)
  }

  /** Remembers whose answer it is as soon as its id is known. */
  note(exchange: Exchange): void {
    const { responseId } = exchange.answer
    const reader = this.#readers.get(exchange)
    if (responseId === undefined || reader === undefined) return
    this.#readers.delete(exchange)
    catchRejection(this.#journal.put(nameOf(responseId), reader, OWNED_MS), () => {})
  }

  async #check(id: string, reader: string | undefined): Promise<void> {
    const owner = await this.#ownerOf(id)
    if (reader === undefined || owner !== reader) throw new AiProxyError('stream_not_found', 'There is no such answer')
  }

  async #ownerOf(id: string): Promise<string | undefined> {
    try {
      return await this.#journal.get(nameOf(id))
    } catch (cause) {
      throw new AiProxyError('journal_unavailable', 'It is not known now whose answer this is', { cause })
    }
  }
}

function nameOf(responseId: string): string {
  return `r:${responseId}`
}
