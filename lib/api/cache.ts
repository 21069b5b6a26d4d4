import type { IncomingMessage } from 'node:http'
import type { Request } from 'express'
import type { HookedExchange } from './hooks.js'
import type { Journal } from './journal.js'

/** A request whose answer may be kept. */
export interface CacheableRequest {
  /** The JSON body as it goes to the provider. Do not change it. */
  readonly body: unknown
}

/** How fast a kept stream goes out: at once, as fast as it came, or at a rate. */
export type CachePace =
  | 'instant'
  | 'recorded'
  | {
      /** Tokens per second, by the package's own estimate. */
      tokensPerSecond: number
    }

/** Keeps whole answers, and gives them to later requests that are equal. */
export interface CacheOptions<Req extends IncomingMessage = Request> {
  /** Where the answers are kept: see `express-ai-proxy/journal`. Default: that of `resume`, or a `memoryJournal()`. */
  journal?: Journal
  /**
   * How long an answer is given to new requests, in milliseconds. It is kept for another five minutes (with `resume`, for
   * `windowMs` if that is more), so that those who have begun to read it can finish.
   */
  ttlMs: number
  /**
   * Names the group that shares answers: a user, a team, everybody. It must return at once; '' or a value that is not a string
   * is an error (500). Required: there is no default for who may see whose answers.
   */
  scope: (req: Req, exchange: HookedExchange<Req>) => string
  /**
   * Replaces the usual key, by which requests are told apart within a scope. Return `undefined` for the usual key. It must return
   * at once. Default: a hash of target, path, query, forwarded headers, and the body, without fields that do not change the answer.
   */
  key?: (request: CacheableRequest, exchange: HookedExchange<Req>) => string | undefined
  /** Whether an answer may be kept. It must return at once. Default: only if the request sets its temperature to 0. */
  when?: (request: CacheableRequest, exchange: HookedExchange<Req>) => boolean
  /** How fast a kept stream goes out. Default `'instant'`. */
  pace?: CachePace
  /** Whether answers with tool calls are kept, too. Default `false`. */
  toolCalls?: boolean
  /** The longest answer that is kept, in bytes. Default 1 MiB. */
  maxBytes?: number
}

/** A kept answer, for `proxy.cache.delete`. */
export interface CachedAnswer {
  /** The key: the name under which it is kept. */
  readonly key: string
  /** What the option `scope` returned. */
  readonly scope: string
  /** The path below the target. */
  readonly path: string
  /** The model that the request named. */
  readonly model: string | undefined
  /** When it was kept, in milliseconds since the epoch. */
  readonly storedAt: number
  /** Its size in bytes. */
  readonly bytes: number
}

/** The kept answers. */
export interface AnswerCache {
  /**
   * Drops kept answers.
   *
   * @param which the key of one, or a function that returns whether to drop an answer
   * @returns a promise of how many were dropped
   * @throws TypeError if the middleware has no option `cache`, or if the function returns a promise
   */
  delete(which: string | ((answer: CachedAnswer) => boolean)): Promise<number>
}
