import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { Events, post } from './support/client.js'
import { openai } from './support/protocols.js'
import { startProvider } from './support/provider.js'

describe("the model's name", () => {
  const names = { 'of 256 characters': 256, 'of 257 characters': 257, 'of a hundred thousand': 100_000 }
  for (const [what, length] of Object.entries(names)) {
    test(`${what}: the proxy keeps at most 256 characters, and forwards all of them`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const model = `first-${'m'.repeat(length - 10)}last`
      const answer = post(app.url + openai.path, { ...openai.request, model })
      const call = await provider.next()
      assert.equal(app.proxy.exchanges()[0]?.model, model.slice(0, 256))
      assert.equal(JSON.parse(await call.text).model, model)
      call.sse().end()
      await (await answer).text()
      assert.equal((await app.record()).model, model.slice(0, 256))
    })
  }
})

describe('maxConcurrentStreams', () => {
  const unasked: Record<string, RequestInit> = {
    'whose body is not JSON': { body: 'Hi', headers: { 'content-type': 'text/plain' } },
    'without `stream`': { body: '{"model":"m"}' },
    'with `stream: false`': { body: '{"model":"m","stream":false}' },
  }
  for (const [what, init] of Object.entries(unasked)) {
    test(`counts a stream that answers a request ${what}`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, limits: { maxConcurrentStreams: 1 } })
      const ask = () => post(app.url + openai.path, undefined, init)

      const answer = ask()
      const first = (await provider.next()).sse(['data: 1\n\n'])
      const events = new Events(await answer)
      assert.equal(await events.next(), 'data: 1\n\n')
      assert.equal(app.proxy.stats().streams, 1)

      const refusal = ask()
      const second = (await provider.next()).sse(['data: second\n\n'])
      const refused = await refusal
      assert.equal(refused.status, 503)
      assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
      assert.match(refused.headers.get('content-type') ?? '', /^application\/json/)
      assert.equal(openai.errorIn(await refused.json()).code, 'too_many_streams')
      await second.gone
      const { outcome, code, limit, status } = await app.record()
      assert.deepEqual(
        { outcome, code, limit, status },
        { outcome: 'limit_exceeded', code: 'too_many_streams', limit: 'maxConcurrentStreams', status: 503 },
      )
      assert.equal(app.proxy.stats().streams, 1)

      first.end('data: 2\n\n')
      assert.deepEqual(await events.rest(), ['data: 2\n\n'])
      assert.equal((await app.record()).outcome, 'completed')
      assert.equal(app.proxy.stats().streams, 0)

      const again = ask()
      ;(await provider.next()).sse().end('data: 3\n\n')
      assert.deepEqual(await new Events(await again).rest(), ['data: 3\n\n'])
      assert.equal((await app.record()).outcome, 'completed')
      assert.equal(app.proxy.stats().streams, 0)
    })
  }

  test('does not count an answer that is not a stream', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { maxConcurrentStreams: 1 } })
    const answer = post(app.url + openai.path, openai.request)
    const call = (await provider.next()).sse(['data: 1\n\n'])
    const events = new Events(await answer)
    await events.next()
    const short = post(app.url + openai.path, { model: 'm' })
    ;(await provider.next()).json(200, { ok: 1 })
    assert.deepEqual(await (await short).json(), { ok: 1 })
    call.end()
    await events.rest()
  })

  for (const stream of [true, 1, 'true']) {
    test(`\`stream: ${JSON.stringify(stream)}\` counts as a request for a stream`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, limits: { maxConcurrentStreams: 1 } })
      const request = { ...openai.request, stream }
      const answer = post(app.url + openai.path, request)
      const call = await provider.next()
      // The first one is counted while its provider is still silent, the second one is never sent.
      assert.equal(app.proxy.stats().streams, 1)
      const refused = await post(app.url + openai.path, request)
      assert.equal(refused.status, 503)
      assert.equal(openai.errorIn(await refused.json()).code, 'too_many_streams')
      assert.equal((await app.record()).stream, true)
      assert.equal(provider.calls.length, 1)
      call.sse().end('data: 1\n\n')
      assert.equal(await (await answer).text(), 'data: 1\n\n')
      const record = await app.record()
      assert.deepEqual([record.outcome, record.stream], ['completed', true])
      assert.equal(app.proxy.stats().streams, 0)
    })
  }
})
