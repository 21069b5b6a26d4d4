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
  settle(record: ExchangeRecord): void
}
