import { readFileSync } from 'node:fs'

/** What each exchange takes: the client's connection and the provider's. */
const DESCRIPTORS_PER_EXCHANGE = 2

/** At 100 to 300 KiB a stream, that many take up to 300 MB. */
const MAX_EXCHANGES = 1000

/**
 * How many exchanges a process has file descriptors for, with a fifth left over for the rest of the app: listeners, files,
 * databases, idle connections.
 *
 * Node raises its soft limit to the hard one when it starts, so what Linux says of this process is what it has. Elsewhere
 * the limit is either far higher (macOS) or does not exist (Windows).
 *
 * @param limits the text of `/proc/self/limits`
 */
export function maxExchangesByDescriptors(limits = readProcessLimits()): number {
  const [, softLimit] = /^Max open files +(\d+)/m.exec(limits) ?? []
  if (softLimit === undefined) return MAX_EXCHANGES
  const fit = Math.floor((Number(softLimit) * 0.8) / DESCRIPTORS_PER_EXCHANGE / 100) * 100
  return Math.min(Math.max(fit, 10), MAX_EXCHANGES)
}

function readProcessLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1')
  } catch {
    return ''
  }
}
