import { type CompleteFormat, complete } from './complete.js'
import type { Format, FormatName, JsonObject } from './format.js'
import type { FieldPath } from './output-limits.js'

/**
 * Members that only built-in formats have: their paths, by which {@link detectFormat} finds the format, and their
 * headers.
 */
interface BuiltInMembers {
  /**
   * Patterns for the ends of its paths; a target may have any prefix. The first format whose pattern matches a path is
   * used.
   */
  readonly paths: readonly RegExp[]
  /** Words that may precede the version in its paths (`/openai/v1/…`) or take its place. Default: none. */
  readonly prefixes?: readonly string[]
  /** Words that may follow the version in its paths (`/v1beta/openai/…`). Default: none. */
  readonly innerPrefixes?: readonly string[]
  /** Its endpoints, as rules, that take forms with files. Default: none. */
  readonly uploadEndpoints?: readonly string[]
  /** Paths that take forms and files. Default: none. */
  readonly uploadPaths?: readonly RegExp[]
  /** Paths that may name a model although no pattern of `modelPaths` matches: their verb is unknown. Default: none. */
  readonly possibleModelPaths?: readonly RegExp[]
  /** Paths that look as if they named a model, but do not. Default: none. */
  readonly modelFreePaths?: readonly RegExp[]
  /** Fields of a request that repeat the model that its path names. Default: `model`. */
  readonly modelCopyPaths?: readonly FieldPath[]
  /** Requests that run no model and need not name one. Default: none. */
  readonly modelFreeRequests?: readonly { readonly method: string; readonly path: RegExp }[]
  /** Its answers report tokens. Default `true`. */
  readonly reportsUsage?: boolean
  /** Request headers in which its clients send keys and accounts. Default: none. */
  readonly credentialHeaders?: readonly string[]
  /** Those of them in which its clients send a key alone, without a scheme such as `Bearer`. Default: none. */
  readonly keyHeaders?: readonly string[]
  /**
   * Patterns for lower-case names of headers and query parameters that are sent next to credentials and are not secret.
   * Default: none.
   */
  readonly nonSecretNames?: readonly RegExp[]
  /** Request headers that would remove usage from its answers. Default: none. */
  readonly withheldHeaders?: readonly string[]
  /** Response headers that are a URL at the provider, for further requests. Default: none. */
  readonly urlHeaders?: readonly string[]
  /** How its messages wrap another message. Default: they do not. */
  readonly wrapping?: Wrapping
}

/** Unwraps and rewraps a message that is inside another. */
export interface Wrapping {
  /** Returns the inner message; `undefined` if there is none. */
  unwrap(data: JsonObject): JsonObject | undefined
  /** Returns a copy of the outer message with another inner message. */
  wrap(data: JsonObject, message: JsonObject): JsonObject
}

export type BuiltInFormat = CompleteFormat<FormatName> &
  Required<Omit<BuiltInMembers, 'wrapping'>> & { readonly wrapping: Wrapping | undefined }

/** Fills in the defaults of a built-in format. */
export function builtIn(format: Format<FormatName> & BuiltInMembers): BuiltInFormat {
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
    reportsUsage: format.reportsUsage ?? true,
    credentialHeaders: format.credentialHeaders ?? [],
    keyHeaders: format.keyHeaders ?? [],
    nonSecretNames: format.nonSecretNames ?? [],
    withheldHeaders: format.withheldHeaders ?? [],
    urlHeaders: format.urlHeaders ?? [],
    wrapping: format.wrapping,
  }
}
