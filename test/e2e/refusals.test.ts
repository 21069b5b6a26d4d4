import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions, FormatName } from '../../lib/index.js'
import { type App, startApp } from './support/app.js'
import { post } from './support/client.js'
import { anthropic, openai } from './support/protocols.js'

/** Apps whose clients speak another protocol than their bare paths tell. */
const spoken: [what: string, options: Partial<AiProxyOptions>, prefix: string, path: string, format: FormatName][] = [
  ['the option format', { format: 'anthropic' }, '', '/v1/complete', 'anthropic'],
  ['a prefix in target', {}, '/v2', '/chat', 'cohere'],
]

/** What is refused before the request is looked at. */
const refusals: [code: string, path: (path: string) => string, prepare: (app: App) => unknown][] = [
  ['shutting_down', (path) => path, (app) => app.proxy.close()],
  ['endpoint_not_allowed', (path) => `/a//v2${path}`, () => {}],
]

describe("a rejection before the request is read uses the client's protocol", () => {
  for (const [what, options, prefix, path, format] of spoken) {
    for (const [code, pathOf, prepare] of refusals) {
      test(`${what}: ${code}`, async (t) => {
        const app = await startApp(t, { target: `http://127.0.0.1:9${prefix}`, endpoints: 'all', ...options })
        await prepare(app)
        const response = await post(app.url + pathOf(path), { model: 'm' })
        const body: unknown = await response.json()
        if (format === 'anthropic') assert.equal(anthropic.errorIn(body).code, code)
        else assert.equal((body as { code?: unknown }).code, code)
        const record = await app.record()
        assert.deepEqual([record.format, record.code], [format, code])
      })
    }
  }

  test('a path that no format claims gets OpenAI’s', async (t) => {
    const app = await startApp(t, { target: 'http://127.0.0.1:9' })
    await app.proxy.close()
    const response = await post(`${app.url}/v1/unheard-of`, { model: 'm' })
    assert.equal(openai.errorIn(await response.json()).code, 'shutting_down')
    assert.equal((await app.record()).format, 'openai-chat')
  })
})
