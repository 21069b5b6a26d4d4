import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import type { HookedExchange } from '../../lib/api/hooks.js'
import { checkedEstimate, tokensByApp } from '../../lib/options/estimate-tokens.js'
import { settled } from '../support/event-loop.js'
import { unhandledRejections } from '../support/unhandled.js'

describe("the app's estimateTokens", () => {
  for (const [name, estimate] of [
    ['resolves', async () => 5],
    ['rejects', async () => Promise.reject(new Error('late'))],
    ['rejects in another realm', runInNewContext("async () => { throw new Error('late') }")],
  ] as const) {
    test(`that is async and ${name} returns no figure, and does not end the process`, async (t) => {
      const unhandled = unhandledRejections(t)
      const checked = checkedEstimate(estimate as never)!
      const tokensOf = (text: string, model: string | undefined) => checked({ text, model }, {} as HookedExchange)
      assert.equal(tokensByApp(tokensOf, 'some text', 'm'), undefined)
      await settled()
      assert.deepEqual(unhandled, [])
    })
  }
})
