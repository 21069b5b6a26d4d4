import type { AiProxyError } from '../api/errors.js'
import type { ExchangeRecord } from '../api/record.js'

/** The policies of an exchange, while it streams and when it has ended. */
export interface ExchangePolicies {
  /** From this many generated tokens on, each event is checked by itself. */
  readonly watchFrom: number
  /** Asks them whether the answer may go on. @returns why it ends here */
  check(): AiProxyError | undefined
  /** One of them waits for something: nothing more of the answer may go out. */
  readonly isPaused: boolean
  /** Called when none of them waits any more. */
  onResume: (() => void) | undefined
  /**
   * The exchange gets another's answer: from now on they do not watch it, and hold nothing for it.
   *
   * @param record of the exchange so far
   */
  share(record: ExchangeRecord): void
  /** The exchange has ended. */
  settle(record: ExchangeRecord): void
}
