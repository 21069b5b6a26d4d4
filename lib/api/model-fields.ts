import type { RequestField } from '../formats/index.js'

/**
 * Fields of a request's body: those known by name, and any other whose name has an underscore. A name without one that is
 * not known is an error for the compiler, which then suggests the likely spelling. `undefined` among the overrides takes a
 * field out.
 */
export type ModelFields = {
  /**
   * The most tokens that one answer may have. It is written in the field that the request's format has for it
   * (`max_tokens`, `generationConfig.maxOutputTokens`, …).
   */
  maxOutputTokens?: number | undefined
  /** How random the answer is. */
  temperature?: number | undefined
  /** A field of the provider's. */
  [field: `${string}_${string}`]: unknown
} & Partial<Record<RequestField, unknown>>
