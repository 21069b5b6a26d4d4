import type { IncomingMessage } from 'node:http'
import type { Exchange } from '../exchange/exchange.js'
import { isDecodable } from './decode.js'
import { labelOf } from './label.js'

const LESS_THAN = 0x3c
/** A byte order mark is not content either. */
const BLANK: ReadonlySet<number> = new Set([...Buffer.from(' \t\r\n\uFEFF')])

/**
 * Looks at how a body begins that should be a model's answer. A sign-in page of a network, or a page of a load balancer,
 * may come with status 200; so may nothing at all.
 */
export class AnswerStart {
  readonly #isText: boolean
  #first: number | undefined
  /** Enough has come to tell. */
  isKnown = false
  /** It begins like HTML or XML, whatever its label says. */
  #isPage = false
  /** The beginning of what may be a page. */
  #held: readonly Buffer[] = []

  /** @param isText `false` if its bytes mean something else than letters: they are neither blank, nor a page */
  constructor(isText: boolean) {
    this.#isText = isText
  }

  /** Nothing has come so far, or only blanks, with which some providers keep a connection open. */
  get isBlank(): boolean {
    return this.#first === undefined
  }

  /** @returns whether it is a page */
  push(chunks: readonly Buffer[]): boolean {
    for (const chunk of chunks) if (!this.isKnown) this.#read(chunk)
    return this.#isPage
  }

  /** Holds what may be the beginning of a page, and returns it with what shows that it is none. */
  release(chunks: readonly Buffer[]): readonly Buffer[] {
    if (this.isKnown && this.#held.length === 0) return chunks
    const all = [...this.#held, ...chunks]
    this.#held = this.isKnown || this.isBlank ? [] : all
    return this.#held.length > 0 ? [] : all
  }

  #read(chunk: Buffer): void {
    for (const byte of chunk) {
      if (this.#first !== undefined) {
        this.isKnown = true
        this.#isPage = /[!?a-z]/i.test(String.fromCharCode(byte))
        return
      }
      if (this.#isText && BLANK.has(byte)) continue
      this.#first = byte
      if (!this.#isText || byte !== LESS_THAN) {
        this.isKnown = true
        return
      }
    }
  }
}

/** Returns what looks at how an answer begins; `undefined` if it may be anything. */
export function answerStartFor(
  response: IncomingMessage,
  { isAnsweredInJson }: Pick<Exchange, 'isAnsweredInJson'>,
): AnswerStart | undefined {
  if (response.statusCode !== 200 || !isAnsweredInJson) return undefined
  return new AnswerStart(isDecodable(response) && !labelOf(response.headers['content-type']).isBinary)
}
