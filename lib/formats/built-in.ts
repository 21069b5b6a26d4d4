import { type CompleteFormat, complete } from './complete.js'
import type { Format, FormatName, JsonObject } from './format.js'

/** What a built-in format says of where it is spoken, from which the format of a path is told. */
interface Spoken {
  /** The ends of its paths; targets have any prefix of their own. The first format that claims a path is spoken there. */
  readonly paths: readonly RegExp[]
  /** What may stand in its paths before their version (`/openai/v1/…`), or in its place. Default: nothing. */
  readonly prefixes?: readonly string[]
  /** What may stand in its paths behind their version (`/v1beta/openai/…`). Default: nothing. */
  readonly innerPrefixes?: readonly string[]
  /** Endpoints of it, as rules, that take forms with files. Default: none. */
  readonly uploadEndpoints?: readonly string[]
  /** Paths that take forms and files. Default: none. */
  readonly uploadPaths?: readonly RegExp[]
  /** Paths that may name a model where `modelPaths` tell none: with a verb that is not known. Default: none. */
  readonly possibleModelPaths?: readonly RegExp[]
  /** Paths that name no model, though they look like it. Default: none. */
  readonly modelFreePaths?: readonly RegExp[]
  /** Requests that run no model, and need not name one. Default: none. */
  readonly modelFreeRequests?: readonly { readonly method: string; readonly path: RegExp }[]
  /** Its answers tell tokens. Default `true`. */
  readonly tellsUsage?: boolean
  /** Request headers in which its clients send keys and accounts. Default: none. */
  readonly credentialHeaders?: readonly string[]
  /** Request headers that would take usage out of its answers. Default: none. */
  readonly withheldHeaders?: readonly string[]
  /** Names of response headers with which its providers tell of a request. Default: none. */
  readonly responseHeaders?: readonly RegExp[]
  /** The message that a message of its wraps, and how to wrap it again. Default: none is wrapped. */
  readonly wrapping?: Wrapping
}

/** How a message is wrapped in another. */
export interface Wrapping {
  /** The message within; `undefined` if there is none. */
  unwrap(data: JsonObject): JsonObject | undefined
  /** The same message with another one within. */
  wrap(data: JsonObject, message: JsonObject): JsonObject
}

/** A format that comes with the package. */
export type BuiltInFormat = CompleteFormat<FormatName> &
  Required<Omit<Spoken, 'wrapping'>> & { readonly wrapping: Wrapping | undefined }

/** Completes a format that comes with the package. */
export function builtIn(format: Format<FormatName> & Spoken): BuiltInFormat {
  return {
    ...complete(format),
    paths: format.paths,
    prefixes: format.prefixes ?? [],
    innerPrefixes: format.innerPrefixes ?? [],
    uploadEndpoints: format.uploadEndpoints ?? [],
    uploadPaths: format.uploadPaths ?? [],
    possibleModelPaths: format.possibleModelPaths ?? [],
    modelFreePaths: format.modelFreePaths ?? [],
    modelFreeRequests: format.modelFreeRequests ?? [],
    tellsUsage: format.tellsUsage ?? true,
    credentialHeaders: format.credentialHeaders ?? [],
    withheldHeaders: format.withheldHeaders ?? [],
    responseHeaders: format.responseHeaders ?? [],
    wrapping: format.wrapping,
  }
}
