import assert from 'node:assert/strict'
import type { Evidence } from './run-script.js'
import type { Script } from './scripts.js'

/** Counts what happened in all scripts. */
export class Tally {
  readonly counts: Record<string, number> = {}

  add({ setUp }: Script, { records, client, attempts }: Evidence): void {
    const { outcome, code, attempts: recorded, target, stream } = records[0]!
    this.#count(`outcome ${outcome}`)
    if (code) this.#count(`code ${code}`)
    for (const attempt of recorded) if (attempt.code) this.#count(`attempt ${attempt.code}`)
    if (recorded.some(({ hedged }) => hedged)) this.#count('hedged')
    if (outcome === 'completed' && recorded.length > 1) this.#count('completed by another attempt')
    if (outcome === 'completed' && target !== 't0') this.#count('completed by another target')
    if (client.hasLeft) this.#count('client left')
    if (setUp.opensEarly && stream) this.#count('opened early')
    if (!stream) this.#count('JSON')
    if (attempts.some(({ seen }) => seen.some(({ isReused }) => isReused))) this.#count('connection reused')
  }

  /** Asserts that each of what can happen did, in at least one of 500 scripts. */
  assertVaried(scripts: number): void {
    const least = scripts / 500
    for (const name of EXPECTED) assert.ok((this.counts[name] ?? 0) >= least, `${name}: ${this.counts[name]}`)
  }

  #count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }
}

const EXPECTED = [
  ...['outcome completed', 'outcome provider_error', 'outcome upstream_error', 'outcome client_disconnect'],
  ...['outcome limit_exceeded', 'completed by another attempt', 'completed by another target'],
  ...['hedged', 'client left', 'opened early', 'JSON', 'connection reused'],
  ...['attempt upstream_unreachable', 'attempt upstream_reset', 'attempt upstream_truncated', 'attempt upstream_error'],
  ...['attempt first_byte_timeout', 'attempt credentials_unavailable', 'attempt outrun', 'attempt abandoned'],
]
