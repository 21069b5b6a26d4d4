import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { resolveOptions } from '../../lib/config.js'
import type { AiProxyOptions } from '../../lib/options.js'

/** The message of the error that these options are answered with. */
export function complaint(options: unknown): string {
  try {
    resolveOptions(options as AiProxyOptions)
  } catch (error) {
    assert.ok(error instanceof TypeError, inspect(error))
    return error.message
  }
  assert.fail(`no error for ${inspect(options)}`)
}
