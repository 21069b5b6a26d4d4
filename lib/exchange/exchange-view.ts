import type { Request, Response } from 'express'
import type { HookedExchange } from '../api/hooks.js'
import type { Subject } from '../api/subject.js'
import type { AnyFormatName } from '../formats/index.js'

/** The members of an exchange that the view reads. */
interface Viewed {
  readonly id: string
  readonly req: Request
  readonly res: Response
  readonly path: string
  readonly model: string | undefined
  readonly asksForStream: boolean
  readonly format: { readonly name: AnyFormatName }
  readonly subject: Subject | undefined
  readonly signal: AbortSignal
}

/** An exchange as hooks see it: one object for all of them, with getters that return what is known so far. */
export class ExchangeView implements HookedExchange {
  readonly #exchange: Viewed

  constructor(exchange: Viewed) {
    this.#exchange = exchange
  }

  get id(): string {
    return this.#exchange.id
  }

  get req(): Request {
    return this.#exchange.req
  }

  get res(): Response {
    return this.#exchange.res
  }

  get path(): string {
    return this.#exchange.path
  }

  get model(): string | undefined {
    return this.#exchange.model
  }

  get stream(): boolean {
    return this.#exchange.asksForStream
  }

  get format(): AnyFormatName {
    return this.#exchange.format.name
  }

  get subject(): Subject | undefined {
    return this.#exchange.subject
  }

  get signal(): AbortSignal {
    return this.#exchange.signal
  }
}
