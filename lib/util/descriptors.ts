import { readFileSync } from 'node:fs'

/** The client's connection and the provider's. */
const DESCRIPTORS_PER_EXCHANGE = 2

/** At 100 to 300 KiB a stream, this many take up to 300 MB. */
const MAX_EXCHANGES = 1000

/**
 * Returns how many exchanges the process has file descriptors for. A fifth stays free for the rest of the app:
 * listeners, files, databases, idle connections.
 *
 * Node raises its soft limit to the hard limit when it starts, so the limit that Linux reports for this process is the
 * real one. Elsewhere the limit is either far higher (macOS) or does not exist (Windows).
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
