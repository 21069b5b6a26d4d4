import type { AttemptRecord } from '../api/attempt-record.js'

/**
 * Returns how an attempt ended, in one word of a bounded number: `ok`, the status of the target's error, or the code for
 * which it failed or was given up.
 */
export function attemptReason({ status, code }: AttemptRecord): string {
  if (code !== undefined) return code
  if (status === undefined) return 'none'
  return status < 400 ? 'ok' : String(status)
}
