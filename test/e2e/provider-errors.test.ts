import assert from 'node:assert/strict'
import https from 'node:https'
import { describe, test } from 'node:test'
import { freePort } from '../support/free-port.js'
import { startApp } from './support/app.js'
import { cert, key } from './support/certificate.js'
import { post } from './support/client.js'
import { listen, startProvider } from './support/provider.js'
import { streams } from './support/streams.js'
import { within } from './support/waiting.js'

const { chat } = streams

describe("a provider's answer with a status of 400 or more", () => {
  for (const status of [400, 401, 404, 429, 500, 529]) {
    test(`${status} is a provider_error, and passes unchanged`, async (t) => {
      const body = { error: { message: 'No', type: 'test', code: null, param: null } }
      const provider = await startProvider(t, { onCall: (call) => call.json(status, body) })
      const app = await startApp(t, { target: provider.url })
      const response = await within(post(app.url + chat.path, chat.request), 'the answer')
      assert.equal(response.status, status)
      assert.deepEqual(await response.json(), body)
      const { outcome, code, error, providerStatus, ...record } = await app.record()
      assert.deepEqual(
        [outcome, code, error, providerStatus, record.status],
        ['provider_error', undefined, undefined, status, status],
      )
      assert.equal(app.proxy.stats().outcomes.provider_error, 1)
      assert.equal(app.proxy.stats().outcomes.completed, 0)
    })
  }

  test('is a provider_error even if a heartbeat has opened the stream', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(429, { error: { message: 'Slow down' } }) })
    const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
    const response = await within(post(app.url + chat.path, chat.request), 'the answer')
    assert.match(await response.text(), /Slow down/)
    const { outcome, code, status, providerStatus } = await app.record()
    assert.deepEqual([outcome, code, status, providerStatus], ['provider_error', 'upstream_error', 200, 429])
  })

  test('is a provider_error even if it is an event in the stream that a heartbeat has opened', async (t) => {
    const event = 'data: {"error":{"message":"slow down"}}\n\n'
    const provider = await startProvider(t, {
      onCall: ({ res }) => res.writeHead(429, { 'content-type': 'text/event-stream' }).end(event),
    })
    const app = await startApp(t, { target: provider.url, heartbeat: { beforeFirstByte: true } })
    const answer = await post(app.url + chat.path, chat.request)
    assert.equal(await answer.text(), `: heartbeat\n\n${event}`)
    const { outcome, code, status, providerStatus } = await app.record()
    assert.deepEqual([outcome, code, status, providerStatus], ['provider_error', 'upstream_error', 200, 429])
  })

  test('is not a provider_error if it comes from the app', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onRequest: () => ({ status: 418, body: {} }) })
    await (await post(app.url + chat.path, chat.request)).text()
    const { outcome, status, providerStatus } = await app.record()
    assert.deepEqual([outcome, status, providerStatus], ['completed', 418, undefined])
  })
})

describe('the record of an unreachable target gives the reason', () => {
  const reasonAt = async (t: Parameters<typeof startApp>[0], target: string) => {
    const app = await startApp(t, { target })
    const response = await within(post(app.url + chat.path, chat.request), 'the answer')
    const { error } = (await response.json()) as { error: { message: string; code: string } }
    const record = await app.record()
    assert.equal(error.code, 'upstream_unreachable')
    assert.equal(record.code, 'upstream_unreachable')
    return error.message
  }

  test('an unknown host name', async (t) => {
    assert.match(await reasonAt(t, 'http://provider.invalid'), /: (ENOTFOUND|EAI_AGAIN)$/)
  })

  test('a closed port', async (t) => {
    assert.match(await reasonAt(t, `http://127.0.0.1:${await freePort()}`), /: ECONNREFUSED$/)
  })

  test('an untrusted certificate', async (t) => {
    const port = await listen(t, https.createServer({ cert, key }))
    assert.match(
      await reasonAt(t, `https://127.0.0.1:${port}`),
      /: (DEPTH_ZERO_SELF_SIGNED_CERT|ERR_TLS_CERT_ALTNAME_INVALID)$/,
    )
  })
})
