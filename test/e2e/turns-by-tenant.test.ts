import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Identify } from '../../lib/index.js'
import { type Runnable, TurnScheduler } from '../../lib/scheduling/turns.js'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

describe('the turns of an exchange', () => {
  for (const [name, identify, tenant] of [
    ["are its tenant's", () => ({ id: 'ada', tenant: 'acme' }), 'tenant acme'],
    ["are its subject's if it has no tenant", () => 'ada', 'subject ada'],
    ["are its subject's, and not those of the tenant that has its name", () => 'acme', 'subject acme'],
    ['are nobody’s without identify', undefined, undefined],
  ] as [string, Identify | undefined, string | undefined][]) {
    test(`${name}, for the request and for the answer`, async (t) => {
      const seen: (string | undefined)[] = []
      for (const method of ['enqueue', 'runOrEnqueue'] as const) {
        const original = TurnScheduler.prototype[method]
        t.mock.method(TurnScheduler.prototype, method, function (this: TurnScheduler, taker: Runnable) {
          seen.push(taker.tenant)
          return original.call(this, taker)
        })
      }
      const provider = await startProvider(t, { onCall: (call) => call.sse(openai.events).end(openai.terminator) })
      const app = await startApp(t, { target: provider.url, ...(identify && { identify }) })
      await (await post(app.url + openai.path, openai.request)).text()
      await app.record()
      assert.ok(seen.length >= 2, `${seen.length} turns`)
      assert.deepEqual([...new Set(seen)], [tenant])
    })
  }
})
