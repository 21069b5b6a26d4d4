import type { ExchangeRecord } from '../api/record.js'
import { BoundedValues } from './bounded-values.js'

/**
 * Options for which models get a label value of their own. `express-ai-proxy/opentelemetry` exports it, too.
 *
 * @category express-ai-proxy/prometheus
 */
export interface ModelNameOptions {
  /** Names of models that always have a label value of their own. Default: none. */
  models?: readonly string[]
  /**
   * Maximum number of further names that get a label value of their own; later ones share one. A name gets its own with
   * the first request for it that the provider answers successfully. Names that clients make up therefore cannot use up
   * the maximum, unless the provider accepts any name, as some local servers do. A failure of the provider (429, 500
   * and up) also gives a name its own value, for at most half of the maximum, so that an outage shows the model
   * concerned. 0: only `models` have one. `false`: no maximum. Default 100.
   */
  maxModels?: number | false
}

/** Maps model names to a bounded number of label values. */
export class ModelNames {
  readonly #values: BoundedValues

  /** @param other the value that all further names share */
  constructor({ models = [], maxModels = 100 }: ModelNameOptions, other: string) {
    this.#values = new BoundedValues(models, maxModels, other)
  }

  /** Returns the label value for the model that an exchange's request names; `undefined` if it names none. */
  of(record: ExchangeRecord): string | undefined {
    return this.#values.of(record.model ?? record.responseModel, record)
  }
}
