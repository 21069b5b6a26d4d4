import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { HookedExchange } from './hooks.js'
import type { Journal } from './journal.js'

/**
 * Lets clients continue a stream whose connection broke. Each event of a stream gets an id, the response the headers
 * `x-stream-id` and `x-stream-url`, and the provider goes on while the client is away.
 */
export interface ResumeOptions<Req extends IncomingMessage = Request> {
  /** Where the events are kept: see `express-ai-proxy/journal`. Default: a `memoryJournal()` of the middleware's own. */
  journal?: Journal
  /** How long after its end a stream can still be read, in milliseconds. Default 300,000. */
  windowMs?: number
  /** How long the provider goes on while nobody reads, in milliseconds. Default 60,000. */
  graceMs?: number
  /** How many bytes of a stream are kept; of a longer stream, the newest ones. Default 1 MiB. */
  maxBytes?: number
  /**
   * Says who asks: only the same person may continue or stop a stream. If it returns `undefined` or `null`, the stream cannot
   * be continued. Default: the subject of `identify`; required without that.
   */
  who?: (req: Req) => string | null | undefined | Promise<string | null | undefined>
  /** Whether a stream is kept. It must return at once. Default: every stream is. */
  when?: (exchange: HookedExchange<Req>) => boolean
}
