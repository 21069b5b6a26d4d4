import type { IncomingMessage } from 'node:http'
import type { Request, Response } from 'express'
import type { AnyFormatName, CustomFormatName, FormatName } from '../formats/index.js'
import type { ProviderEvents, ProviderRequests } from '../formats/types.js'
import type { AiProxyError } from './errors.js'
import type { ExchangeRecord } from './record.js'
import type { Subject } from './subject.js'

/** An exchange as hooks see it: all hooks of an exchange get the same object. Its fields show what is known so far. */
export interface HookedExchange<Req extends IncomingMessage = Request> {
  /** A UUID: the one in `exchanges()`, in the record, and in the response's `x-request-id`. */
  readonly id: string
  /** The client's request, as Express has it. */
  readonly req: Req
  /** The response to the client, as Express has it. Only the middleware may write to it. */
  readonly res: Response
  /** The path below the target. */
  readonly path: string
  /** The model that the request names; `undefined` before the body has been read, and if the request names none. */
  readonly model: string | undefined
  /** Whether the request asks for a stream. */
  readonly stream: boolean
  /** The provider protocol that the client speaks: a built-in one, or the name of a format of the app's own. */
  readonly format: AnyFormatName
  /** Whose request it is, by the option `identify`; `undefined` without it. */
  readonly subject: Subject | undefined
  /**
   * Aborts if the exchange ends before its answer has gone out whole: the client has left, a limit was hit, the provider
   * failed, or the middleware or the app ended it. Its `reason` is the {@link AiProxyError}; if the client has left, an
   * `AbortError`. It does not abort if all goes well. While an `errors` function prepares its answer to a failure, it
   * aborts only if the client leaves. It is created when it is first read, and costs nothing until then.
   */
  readonly signal: AbortSignal
}

interface RequestOf<F extends AnyFormatName> {
  /** The provider protocol that the client speaks. */
  readonly format: F
  /** The JSON body, `modelOptions` applied; `undefined` if there is none. Change it, or replace it. */
  body: ProviderRequests[F] | undefined
  /** The bytes of the current body as they will go out, for signatures. */
  readonly rawBody: Buffer | undefined
  /** Further request headers for the provider, by lower-case names; they replace others of the same name. */
  readonly headers: Record<string, string>
}

/**
 * A request before it goes out:
 *
 * - `format`: the provider protocol that the client speaks.
 * - `body`: the JSON body, `modelOptions` applied; `undefined` if there is none. Change it, or replace it.
 *   Its type follows from `format`.
 * - `rawBody`: the bytes of the current body as they will go out, for signatures.
 * - `headers`: further request headers for the provider, by lower-case names; they replace others of the same name.
 */
export type HookedRequest = { [F in FormatName]: RequestOf<F> }[FormatName] | RequestOf<CustomFormatName>

/** An answer that the app sends instead of the provider's. */
export interface HookAnswer {
  /** HTTP status. Default 200. */
  status?: number | undefined
  /** Response headers; `content-length` is computed, and headers that frame the message are left out. Default: none. */
  headers?: Record<string, string | undefined> | undefined
  /** A string, Buffer or Uint8Array goes out as it is, anything else as JSON. Default: no body. */
  body?: unknown
  /** Always absent, so that the compiler refuses a hook that returns its request. */
  rawBody?: never
}

/**
 * May read the request and replace its body, or answer it itself by returning an answer. What it throws becomes the
 * answer's status if it has a `status` or `statusCode` from 400 to 599 (`http-errors`), and 500 otherwise.
 */
export type OnRequest<Req extends IncomingMessage = Request> = (
  request: HookedRequest,
  exchange: HookedExchange<Req>,
) => MaybeAnswer | Promise<MaybeAnswer>

/** @inline */
// biome-ignore lint/suspicious/noConfusingVoidType: it is what a function without a return statement returns
type Nothing = undefined | void

/** @inline */
type MaybeAnswer = HookAnswer | Nothing

/** The head of the provider's response, before any of it goes to the client. */
export interface HookedResponse {
  /**
   * The provider's status. Set another one, from 200 to 599, to replace it; a status without a body (204, 205, 304) cannot
   * replace one with a body, or the reverse.
   */
  status: number
  /**
   * The headers that go out, by lower-case names: the provider's headers that may be forwarded, `x-request-id` (the exchange's id,
   * unless the app has set the header) and `x-upstream-request-id` (the provider's id). Change, add or delete them; one that is `undefined` is left out. Headers
   * that frame the message, and `content-encoding`, which belongs to the bytes of the body, stay as they are.
   */
  headers: Record<string, string | string[] | undefined>
}

/**
 * Called when the head of the provider's response has arrived, whatever its status, and before anything goes to the client.
 * May change status and headers, or return an answer that goes out instead of the provider's: the provider's body is then
 * not read, and its connection is closed. The response waits for a promise, for `limits.firstByteTimeoutMs` at most. What it
 * throws becomes the answer, as with {@link OnRequest}.
 */
export type OnResponse<Req extends IncomingMessage = Request> = (
  response: HookedResponse,
  exchange: HookedExchange<Req>,
) => MaybeAnswer | Promise<MaybeAnswer>

/**
 * May answer an {@link AiProxyError} while nothing has gone to the client: the option `errors`. An answer without a status
 * has the error's, and the error's headers go out unless the answer sets them. If the function returns `undefined`, throws
 * (`onError` then gets the error), or takes longer than `limits.firstByteTimeoutMs`, the default answer goes out.
 */
export type OnFailure<Req extends IncomingMessage = Request> = (
  failure: AiProxyError,
  exchange: HookedExchange<Req>,
) => MaybeAnswer | Promise<MaybeAnswer>

/** A JSON answer of the provider's that is not streamed: a success, or an error. */
export interface HookedAnswer {
  /** The provider protocol that the client speaks. */
  readonly format: AnyFormatName
  /** The provider's status. */
  readonly status: number
  /** Its JSON, parsed. */
  readonly body: unknown
}

/**
 * Gets each JSON answer that is not streamed, whatever its status, before any of it goes out. `undefined` lets it pass byte
 * for byte, and an object replaces it: `body` goes out as JSON. The client waits for a promise, for `limits.firstByteTimeoutMs`
 * at most. What it throws becomes the answer, as with {@link OnRequest}.
 */
export type OnAnswer<Req extends IncomingMessage = Request> = (
  answer: HookedAnswer,
  exchange: HookedExchange<Req>,
) => MaybeBody | Promise<MaybeBody>

/** @inline */
type MaybeBody =
  | {
      /** The value that goes out as JSON. */
      body: unknown
    }
  | Nothing

interface EventOf<F extends AnyFormatName> {
  readonly format: F
  /** Name of the event, if the framing has one. */
  readonly event: string | undefined
  /** Its JSON, parsed. */
  readonly data: ProviderEvents[F]
}

/**
 * One event of a stream:
 *
 * - `format`: the provider protocol that the client speaks.
 * - `event`: name of the event; `undefined` if the framing has none.
 * - `data`: its JSON, parsed. Its type follows from `format`.
 */
export type StreamEvent = { [F in FormatName]: EventOf<F> }[FormatName] | EventOf<CustomFormatName>

/**
 * Gets each event that carries JSON. `undefined` lets it pass as it came, `null` drops it, and an object replaces it: `data`
 * is its JSON, `event` its name (default: the name that it had). It must return at once, not a promise. If it throws, the
 * stream ends with an error event.
 */
export type OnEvent<Req extends IncomingMessage = Request> = (
  event: StreamEvent,
  exchange: HookedExchange<Req>,
) => MaybeReplacement

/** @inline */
type MaybeReplacement = { event?: string | undefined; data: unknown } | null | Nothing

/** An attempt's request, as it goes to its target. */
export interface AttemptRequest {
  /** HTTP method. */
  readonly method: string
  /** The whole URL, with the target's credentials in its query if `auth.query` has any. */
  readonly url: string
  /** Headers, by lower-case names. Change, add or delete them; those that frame the message stay as they are. */
  readonly headers: Record<string, string | string[]>
  /** The body's bytes, which cannot be changed; `undefined` if there is none, or if it passes unbuffered. */
  readonly body: Buffer | undefined
}

/**
 * May sign an attempt's request, or change its headers: each target has its own. If it throws, the attempt fails with
 * `internal_error`, and `onError` gets the error.
 *
 * @param attempt.target name of the target; with the option `target`, its host
 * @param attempt.request the request, complete
 */
export type OnAttempt<Req extends IncomingMessage = Request> = (
  attempt: { readonly target: string; readonly request: AttemptRequest },
  exchange: HookedExchange<Req>,
) => void | Promise<void>

/** Called once per exchange, at its end, with its record. */
export type OnFinish<Req extends IncomingMessage = Request> = (
  record: ExchangeRecord,
  exchange: HookedExchange<Req>,
) => void | Promise<void>

/** Names of the options in which the app passes code of its own. */
export type HookName =
  | 'auth'
  | 'balance'
  | 'cache'
  | 'errors'
  | 'estimateTokens'
  | 'format'
  | 'forwardHeaders'
  | 'identify'
  | 'labels'
  | 'limits'
  | 'models'
  | 'observers'
  | 'onAnswer'
  | 'onAttempt'
  | 'onEvent'
  | 'onFinish'
  | 'onRequest'
  | 'onResponse'
  | 'policies'
  | 'prices'
  | 'resume'
  | 'sticky'

/**
 * Called with what a hook of the app threw or rejected with, or with a TypeError if it returned an invalid value.
 *
 * @param error what was thrown
 * @param context.hook name of the option in which the hook was passed
 * @param context.exchange the exchange that it was called for, if it was called for one
 */
export type OnError<Req extends IncomingMessage = Request> = (
  error: unknown,
  context: { readonly hook: HookName; readonly exchange: HookedExchange<Req> | undefined },
) => void | Promise<void>
