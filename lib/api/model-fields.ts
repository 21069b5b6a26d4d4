import type { RequestField } from '../formats/index.js'

/**
 * Fields of a request's body: known fields, and any others whose names have an underscore. An unknown name without an
 * underscore is an error for the compiler, which then suggests the likely spelling. `undefined` in `overrides` removes a
 * field.
 */
export type ModelFields = {
  /**
   * The most tokens that one answer may have. It is written to the field that the request's format has for it
   * (`max_tokens`, `generationConfig.maxOutputTokens`, …).
   */
  maxOutputTokens?: number | undefined
  /** How random the answer is. */
  temperature?: number | undefined
  /** Another field of the provider's protocol. */
  [field: `${string}_${string}`]: unknown
} & Partial<Record<RequestField, unknown>>
