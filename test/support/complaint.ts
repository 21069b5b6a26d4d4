import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { AiProxyOptions } from '../../lib/api/options.js'
import { resolveOptions } from '../../lib/options/resolve.js'

/** The message of the error that these options cause. */
export function complaint(options: unknown): string {
  try {
    resolveOptions(options as AiProxyOptions)
  } catch (error) {
    assert.ok(error instanceof TypeError, inspect(error))
    return error.message
  }
  assert.fail(`no error for ${inspect(options)}`)
}
