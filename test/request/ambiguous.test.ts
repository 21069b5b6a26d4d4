import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from '../e2e/support/app.js'
import { startProvider } from '../e2e/support/provider.js'

const ask = (url: string, body: string, path = '/v1/chat/completions') =>
  fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })

describe('a body that the provider may read differently than the proxy', () => {
  for (const [what, options, body] of [
    [
      'a field twice, under overrides',
      { modelOptions: { overrides: { max_tokens: 10 } } },
      '{"max_tokens":99,"max_tokens":10}',
    ],
    [
      'an override in another spelling',
      { modelOptions: { overrides: { options: {} } } },
      '{"Options":{"num_predict":-1}}',
    ],
    ['a model twice, before a hook', { onRequest: () => undefined }, '{"model":"a","model":"b"}'],
  ] as const) {
    test(`is rejected: ${what}`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(t, { target: provider.url, ...options })
      const response = await ask(app.url, body)
      assert.equal(response.status, 400)
      assert.equal(provider.calls.length, 0)
    })
  }

  test('passes if nothing is checked', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
    const app = await startApp(t, { target: provider.url })
    assert.equal((await ask(app.url, '{"model":"a","model":"b"}')).status, 200)
  })
})

describe('a path with an unknown verb', () => {
  for (const path of [
    '/v1beta/models/bad:generateMessage',
    '/v1beta/models/bad:generateContent/',
    '/model/bad/async-invoke',
  ]) {
    test(`does not admit a model that only the path names: ${path}`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(t, { target: provider.url, endpoints: 'all', models: ['good'] })
      assert.equal((await ask(app.url, '{"model":"good"}', path)).status, 403)
      assert.equal(provider.calls.length, 0)
    })
  }
})

describe("a hook's answer", () => {
  test('with an invalid status ends the request with an error', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onRequest: () => ({ status: 101 }) })
    assert.equal((await ask(app.url, '{}')).status, 500)
  })

  test('without a body has no length or framing headers', async (t) => {
    const provider = await startProvider(t)
    const headers = { 'transfer-encoding': 'chunked', 'x-mine': '1' }
    const app = await startApp(t, { target: provider.url, onRequest: () => ({ status: 204, headers, body: 'x' }) })
    const response = await ask(app.url, '{}')
    assert.equal(response.status, 204)
    assert.equal(response.headers.get('x-mine'), '1')
    assert.equal(response.headers.get('transfer-encoding'), null)
  })
})
