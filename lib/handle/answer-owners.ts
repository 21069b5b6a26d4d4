import { AiProxyError } from '../api/errors.js'
import type { Journal } from '../api/journal.js'
import type { Exchange } from '../exchange/exchange.js'
import { valueAt } from '../formats/fields.js'
import { answerIdIn, continuationNames, extraBody, keepsAnswers, MAX_ANSWER_ID_LENGTH } from '../formats/index.js'
import { subjectKey } from '../journal/stream-ids.js'
import { isObject } from '../json/json.js'
import type { ResolvedResume } from '../options/resume.js'
import { rejectAmbiguousFields } from '../request/ambiguous.js'
import type { RequestBody } from '../request/body.js'
import { rejectOtherEncodings } from '../request/charset.js'
import { jsonText } from '../request/json-text.js'
import type { ResponseController } from '../response/response-controller.js'
import { catchRejection } from '../util/promises.js'
import { askApp } from './ask-app.js'
import { lookAgain } from './look-again.js'

/** How long the owner of an answer is remembered: long enough for an answer that is written in the background. */
const OWNED_MS = 24 * 60 * 60_000

/** Remembers the owners of answers that providers keep: only the subject that requested one may read, cancel or delete it. */
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
   * Lets a request about an answer pass if the subject owns the answer; notes the subject of a request for a new one.
   *
   * @throws AiProxyError `stream_not_found`; `journal_unavailable`
   */
  async admit(exchange: Exchange, controller: ResponseController, path: string): Promise<void> {
    if (!keepsAnswers(exchange.format)) return
    const who = await askApp('resume.who', exchange, controller, () => this.#resume.who(exchange.hookView()))
    if (exchange.isSettled) return
    const reader = who === undefined ? undefined : subjectKey(who)
    const id = answerIdIn(path, exchange.format)
    if (id !== undefined) return this.#check(id, reader, exchange)
    if (reader !== undefined) this.#readers.set(exchange, reader)
  }

  /** Returns whether it has to be known which answer a request continues. */
  reads({ format }: Exchange): boolean {
    return format.continuationField !== undefined
  }

  /**
   * Lets a request that continues an answer pass, unless another subject is known to own the answer: a subject that could
   * continue it could ask the model what it says. Providers keep answers for longer than their owners are remembered.
   *
   * @param body as it goes out, read in full
   * @throws AiProxyError `stream_not_found`; `journal_unavailable`; `invalid_request` if the provider may read another id
   */
  async admitContinued(exchange: Exchange, body: RequestBody): Promise<void> {
    const { readsBothCases } = exchange.format
    const names = continuationNames(exchange.format)
    if (names.length === 0) return
    // Some servers read JSON whatever type the client declares, and what was not read here may name any answer.
    if (body.content !== undefined && !isObject(body.json)) {
      throw new AiProxyError('invalid_request', 'The request body must be a JSON object at this endpoint')
    }
    const paths = names.flatMap((name) => [[name], [extraBody, name]])
    const text = jsonText(body)
    if (text) {
      rejectOtherEncodings(text, body.headers['content-type'])
      rejectAmbiguousFields(text, paths, readsBothCases, body.spans)
    }
    for (const path of paths) {
      const id = valueAt(body.json, ...path) ?? ''
      if (typeof id !== 'string') throw new AiProxyError('invalid_request', `${path.join('.')} is not a text`)
      if (id !== '' && !(await this.#mayContinue(id, this.#readers.get(exchange)))) throw notFound()
    }
  }

  /** Remembers the owner of the answer once its id is known. */
  note(exchange: Exchange): void {
    const { responseId } = exchange.answer
    const reader = this.#readers.get(exchange)
    if (responseId === undefined || reader === undefined) return
    this.#readers.delete(exchange)
    // A subject that gets another's answer knows its id, and may continue it; the other still owns it.
    const isAnothers = exchange.cache === 'hit' || exchange.cache === 'join'
    const name = isAnothers ? sharerName(responseId, reader) : nameOf(responseId)
    catchRejection(this.#journal.put(name, reader, OWNED_MS), () => {})
  }

  async #mayContinue(id: string, reader: string | undefined): Promise<boolean> {
    // No answer has a longer id, and a store must not have to look for one of many MiB.
    if (id.length > MAX_ANSWER_ID_LENGTH) return true
    const owner = await this.#valueOf(nameOf(id))
    if (owner === undefined || owner === reader) return true
    return reader !== undefined && (await this.#valueOf(sharerName(id, reader))) !== undefined
  }

  async #check(id: string, reader: string | undefined, exchange: Exchange): Promise<void> {
    if (reader === undefined) throw notFound()
    const look = () => this.#valueOf(nameOf(id))
    const owner = (await look()) ?? (await lookAgain(exchange, look))
    if (owner !== reader) throw notFound()
  }

  async #valueOf(name: string): Promise<string | undefined> {
    try {
      return await this.#journal.get(name)
    } catch (cause) {
      throw new AiProxyError('journal_unavailable', 'The owner of this answer cannot be looked up now', { cause })
    }
  }
}

function notFound(): AiProxyError {
  return new AiProxyError('stream_not_found', 'There is no such answer')
}

function nameOf(responseId: string): string {
  return `r:${responseId}`
}

function sharerName(responseId: string, reader: string): string {
  return `${nameOf(responseId)}:${reader}`
}
