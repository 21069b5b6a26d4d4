import type { ExchangeRecord } from '../api/record.js'
import { isLabelName, LABEL_NAME_RULE, MAX_LABELS } from '../util/label-name.js'
import { rejectOption } from '../util/option-errors.js'
import { BoundedValues } from './bounded-values.js'
import { checkMaximum } from './check-options.js'

/**
 * Options for the labels of the app's own that metrics have. `express-ai-proxy/opentelemetry` exports it, too.
 *
 * @category express-ai-proxy/prometheus
 */
export interface AppLabelOptions {
  /**
   * Names of labels that the middleware's option `labels` returns, and that metrics shall have; `subject` and `tenant` are
   * those of the record unless the option returns others. Default: none.
   */
  labels?: readonly string[]
  /**
   * Maximum number of different values for each of these labels; later values share one. A value gets its own with the
   * first request that the provider answers successfully, or, for at most half of the maximum, with a failure of the
   * provider's (429, 500 and up). 0: all share one. `false`: no maximum, for labels that only your app sets. Default 100.
   */
  maxLabelValues?: number | false
}

/** Reads the app's labels from records, with a bounded number of values each. */
export class AppLabels {
  readonly names: readonly string[]
  readonly #values: readonly BoundedValues[]

  /**
   * @param caller function that got the options, for errors
   * @param reserved names that its metrics have already
   * @param other the value that all further values share
   * @throws TypeError if an option is wrong
   */
  constructor(caller: string, options: AppLabelOptions, reserved: readonly string[], other: string) {
    const { labels = [], maxLabelValues = 100 } = options
    checkNames(caller, labels, reserved)
    checkMaximum(caller, 'maxLabelValues', maxLabelValues)
    this.names = [...labels]
    this.#values = this.names.map(() => new BoundedValues([], maxLabelValues, other))
  }

  /** Returns the labels of an exchange as they are; those that it does not have are left out. */
  allOf({ labels, subject, tenant }: ExchangeRecord): Record<string, string> {
    const all: Readonly<Record<string, string | undefined>> = { subject, tenant, ...labels }
    return Object.fromEntries(
      this.names.flatMap((name) => {
        const value = Object.hasOwn(all, name) ? all[name] : undefined
        return value === undefined ? [] : [[name, value]]
      }),
    )
  }

  /** The same with bounded values. */
  boundedOf(record: ExchangeRecord): Record<string, string> {
    const all = this.allOf(record)
    return Object.fromEntries(
      this.names.flatMap((name, at) =>
        Object.hasOwn(all, name) ? [[name, this.#values[at]!.of(all[name], record)!]] : [],
      ),
    )
  }
}

function checkNames(caller: string, labels: unknown, reserved: readonly string[]): void {
  if (!Array.isArray(labels) || labels.length > MAX_LABELS) {
    rejectOption(caller, 'labels', labels, `a list of at most ${MAX_LABELS} names`)
  }
  for (const [at, name] of labels.entries()) {
    const option = `labels[${at}]`
    if (!isLabelName(name)) rejectOption(caller, option, name, `a name of ${LABEL_NAME_RULE}`)
    if (reserved.includes(name)) rejectOption(caller, option, name, 'a name that its metrics do not have already')
    if (labels.indexOf(name) !== at) rejectOption(caller, option, name, 'each name once')
  }
}
