import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startLocalProvider } from '../../example-app/providers/local-provider.js'

test('the stand-in for Anthropic reports one output token at the start, and all at the end', async (t) => {
  const provider = await startLocalProvider({ id: 'anthropic', eventsPerSecond: 1000 })
  t.after(() => provider.close())
  const response = await fetch(`${provider.target}/v1/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
  })
  const told = [...(await response.text()).matchAll(/"output_tokens":(\d+)/g)].map(([, count]) => Number(count))
  assert.equal(told.length, 2)
  const [start, end] = told as [number, number]
  assert.equal(start, 1)
  assert.ok(end > 50, `${end} tokens`)
})
