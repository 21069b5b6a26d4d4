import assert from 'node:assert/strict'
import type { ExchangeRecord, Phase } from '../../../lib/index.js'
import type { App } from './app.js'
import { until } from './waiting.js'

export const inPhase = (app: App, phase: Phase) =>
  until(() => app.proxy.exchanges().at(-1)?.phase === phase, `the exchange is ${phase}`)

/** Asserts that the newest record says that the client has left, and nothing else. */
export async function assertLeft(app: App, expected: Partial<ExchangeRecord> = {}): Promise<ExchangeRecord> {
  const record = await app.record()
  const { outcome, limit, code } = record
  assert.deepEqual({ outcome, limit, code }, { outcome: 'client_disconnect', limit: undefined, code: undefined })
  assert.deepEqual({ ...record, ...expected }, record)
  assert.deepEqual(app.proxy.exchanges(), [])
  return record
}
