import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

describe('a connection to the provider', () => {
  const answers = {
    'HEAD with a content-length, whose body may still arrive': ['HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'],
    '204 with a content-length, which it must not have': [
      'GET',
      'HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n',
    ],
    '304 with the content-length of the unchanged body': [
      'GET',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n',
    ],
  } as const
  for (const [what, [method, head]] of Object.entries(answers)) {
    test(`is not reused after ${what}`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, endpoints: 'all' })
      const waiting = fetch(`${app.url}/v1/models`, { method, headers: { connection: 'close' } })
      const call = (await provider.next()).raw(head)
      const response = await waiting
      if (method === 'GET' && response.status === 204) assert.equal(response.headers.get('content-length'), null)
      await app.record()
      await call.gone
      const next = post(app.url + openai.path, { model: 'm' })
      ;(await provider.next()).json(200, { ok: 1 })
      assert.deepEqual(await (await next).json(), { ok: 1 })
      assert.equal(provider.connections.length, 2)
    })
  }

  test('is reused after an answer with a body', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => call.json(200, { ok: 1 }) })
    const app = await startApp(t, { target: provider.url })
    for (let count = 0; count < 2; count++) {
      await (await post(app.url + openai.path, { model: 'm' })).text()
      await app.record()
    }
    assert.equal(provider.connections.length, 1)
  })

  test('is closed if it sends interim answers without end: upstream_reset', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const waiting = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).raw('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(101))
    assert.equal(openai.errorIn(await (await waiting).json()).code, 'upstream_reset')
    assert.equal((await app.record()).code, 'upstream_reset')
    await call.gone
  })
})
