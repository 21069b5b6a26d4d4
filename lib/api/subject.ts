import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { Labels } from './labels.js'
import type { ModelRules } from './model-rules.js'

/** The user, key or service that a request belongs to. */
export interface Subject {
  /** Identifies the user, key or service, 256 characters at most. Not a secret: it goes into records, logs and stores. */
  readonly id: string
  /** The team, customer or plan that it belongs to, 256 characters at most. Default: none; the subject is then a tenant of its own. */
  readonly tenant?: string | undefined
  /** Its plan, for limits that depend on it. Default: none. */
  readonly tier?: string | undefined
  /** The models that it may ask for, of those that the option `models` allows. Default `'all'`. */
  readonly models?: ModelRules | undefined
  /** Labels for `record.labels`; those that the option `labels` returns win. Default: none. */
  readonly labels?: Labels | undefined
}

/**
 * Returns whose request it is: an id, or a {@link Subject}; `null` refuses the request with 401 `unauthenticated`. It is
 * called once per exchange, before the body is read. If it throws, or returns anything else, the client gets 500
 * `internal_error`, and `onError` gets the reason; an error with a status (`http-errors`) becomes the answer. It must answer
 * within the middleware's `firstByteTimeoutMs`; otherwise the client gets 504 `first_byte_timeout`, which names `identify`.
 */
export type Identify<Req extends IncomingMessage = Request> = (
  req: Req,
) => string | Subject | null | Promise<string | Subject | null>
