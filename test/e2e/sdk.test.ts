import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { AiProxyOptions } from '../../lib/index.js'
import { type App, startApp } from './support/app.js'
import { anthropic, openai, type Protocol } from './support/protocols.js'
import { type Call, type Owner, type Provider, startProvider } from './support/provider.js'

interface Failure {
  readonly code: string
  readonly options?: Partial<AiProxyOptions>
  readonly act?: (call: Call, protocol: Protocol) => unknown
  /** What is done once the client has two events. */
  readonly afterEvents?: (app: App) => void
}

const begin = (call: Call, { events }: Protocol) => call.sse(events.slice(0, 2))

const inTheStream: Failure[] = [
  { code: 'idle_timeout', options: { limits: { idleTimeoutMs: 30 } }, act: begin },
  { code: 'stream_too_long', options: { limits: { maxStreamDurationMs: 30 } }, act: begin },
  {
    code: 'response_too_large',
    options: { limits: { maxResponseBytes: 1000 } },
    act: (call, protocol) => begin(call, protocol).send(protocol.events[1].repeat(10)),
  },
  {
    code: 'event_too_large',
    options: { limits: { maxEventBytes: 500 } },
    act: (call, protocol) => begin(call, protocol).send(`data: ${'x'.repeat(501)}`),
  },
  {
    code: 'upstream_reset',
    act: (call, protocol) => begin(call, protocol).res.write('data: {"ha', () => call.reset()),
  },
  {
    code: 'first_byte_timeout',
    options: { heartbeat: { beforeFirstByte: true }, limits: { firstByteTimeoutMs: 30 } },
    act: () => {},
  },
  {
    code: 'shutting_down',
    act: begin,
    afterEvents: (app) => void app.proxy.close({ graceMs: 0 }),
  },
]

const beforeTheFirstByte: (Failure & { status: number })[] = [
  { code: 'request_too_large', status: 413, options: { limits: { maxRequestBytes: 5 } } },
  { code: 'first_byte_timeout', status: 504, options: { limits: { firstByteTimeoutMs: 20 } }, act: () => {} },
  { code: 'upstream_reset', status: 502, act: (call) => call.reset() },
  { code: 'upstream_unreachable', status: 502, options: { target: 'http://127.0.0.1:9' } },
  { code: 'endpoint_not_allowed', status: 404, options: { endpoints: ['GET models'] } },
  { code: 'shutting_down', status: 503 },
]

async function start(t: Owner, { options, act }: Partial<Failure>, protocol: Protocol): Promise<[App, Provider]> {
  const provider = await startProvider(t, { onCall: (call) => act?.(call, protocol) })
  return [await startApp(t, { target: provider.url, ...options }), provider]
}

describe('the official openai SDK', () => {
  const clientOf = (app: App) => new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'sk-client', maxRetries: 0 })
  const chat = { model: 'gpt-test', messages: [{ role: 'user' as const, content: 'Hi' }] }

  test('streams a chat', async (t) => {
    const [app] = await start(t, { act: (call, { events }) => call.sse(events).end(openai.terminator) }, openai)
    let text = ''
    for await (const chunk of await clientOf(app).chat.completions.create({ ...chat, stream: true })) {
      text += chunk.choices[0]?.delta.content
    }
    assert.equal(text, 'Hello!')
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('streams a response', async (t) => {
    const said = ['response.created', 'response.output_text.delta', 'response.completed']
    const [app] = await start(
      t,
      { act: (call) => call.sse(said.map((type) => `event: ${type}\ndata: ${JSON.stringify({ type })}\n\n`)).end() },
      openai,
    )
    const seen: string[] = []
    const stream = await clientOf(app).responses.create({ model: 'm', input: 'Hi', stream: true })
    for await (const event of stream) seen.push(event.type)
    assert.deepEqual(seen, said)
  })

  test('gets a non-streaming answer, and lists models', async (t) => {
    const [app, provider] = await start(
      t,
      {
        act: (call) =>
          call.json(200, call.req.method === 'GET' ? { data: [{ id: 'gpt-test' }] } : { id: 'c1', choices: [] }),
      },
      openai,
    )
    assert.equal((await clientOf(app).chat.completions.create(chat)).id, 'c1')
    assert.equal((await clientOf(app).models.list()).data[0]?.id, 'gpt-test')
    assert.equal((await provider.next()).headers.authorization, 'Bearer sk-client')
  })

  test("gets the provider's own error", async (t) => {
    const error = { message: 'slow down', type: 'rate_limit_error', code: 'rate_limit_exceeded', param: null }
    const [app] = await start(t, { act: (call) => call.json(429, { error }) }, openai)
    await assert.rejects(clientOf(app).chat.completions.create(chat), (thrown) => {
      assert.ok(thrown instanceof OpenAI.RateLimitError)
      assert.equal(thrown.code, 'rate_limit_exceeded')
      return true
    })
  })

  test('aborts a stream', async (t) => {
    const [app, provider] = await start(t, { act: begin }, openai)
    const stream = await clientOf(app).chat.completions.create({ ...chat, stream: true })
    for await (const _ of stream) break
    await (await provider.next()).gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  for (const failure of inTheStream) {
    for (const [what, run] of [
      ['a chat', (app: App) => clientOf(app).chat.completions.create({ ...chat, stream: true })],
      ['a response', (app: App) => clientOf(app).responses.create({ model: 'm', input: 'Hi', stream: true })],
    ] as const) {
      test(`throws on ${failure.code} in ${what}`, async (t) => {
        const [app] = await start(t, failure, openai)
        let seen = 0
        await assert.rejects(
          async () => {
            for await (const _ of await run(app)) if (++seen === 2) failure.afterEvents?.(app)
          },
          (thrown) => {
            assert.ok(thrown instanceof OpenAI.APIError)
            assert.equal(thrown.code, failure.code)
            return true
          },
        )
        const expected = failure.code === 'first_byte_timeout' ? 0 : 2
        assert.ok(seen >= expected, `${seen} events came before`)
        assert.equal((await app.record()).code, failure.code)
      })
    }
  }

  for (const failure of beforeTheFirstByte) {
    test(`throws on ${failure.code} with status ${failure.status}`, async (t) => {
      const [app] = await start(t, failure, openai)
      if (failure.code === 'shutting_down') await app.proxy.close()
      for (const stream of [true, false]) {
        await assert.rejects(clientOf(app).chat.completions.create({ ...chat, stream }), (thrown) => {
          assert.ok(thrown instanceof OpenAI.APIError)
          assert.deepEqual([thrown.status, thrown.code], [failure.status, failure.code])
          assert.equal(thrown instanceof OpenAI.NotFoundError, failure.status === 404)
          assert.equal(thrown instanceof OpenAI.InternalServerError, failure.status >= 500)
          return true
        })
      }
    })
  }
})

describe('the official Anthropic SDK', () => {
  const clientOf = (app: App) => new Anthropic({ baseURL: app.url, apiKey: 'sk-client', maxRetries: 0 })
  const message = { model: 'claude-test', max_tokens: 9, messages: [{ role: 'user' as const, content: 'Hi' }] }

  test('streams a message', async (t) => {
    const [app] = await start(t, { act: (call, { events }) => call.sse(events).end(anthropic.terminator) }, anthropic)
    const seen: string[] = []
    for await (const event of await clientOf(app).messages.create({ ...message, stream: true })) seen.push(event.type)
    assert.deepEqual(seen, ['message_start', 'content_block_delta', 'content_block_delta', 'message_stop'])
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('aborts a stream', async (t) => {
    const [app, provider] = await start(t, { act: begin }, anthropic)
    const stream = await clientOf(app).messages.create({ ...message, stream: true })
    for await (const _ of stream) break
    await (await provider.next()).gone
    assert.equal((await app.record()).outcome, 'client_disconnect')
  })

  for (const failure of inTheStream) {
    test(`throws on ${failure.code} in a stream`, async (t) => {
      const [app] = await start(t, failure, anthropic)
      let seen = 0
      await assert.rejects(
        async () => {
          for await (const _ of await clientOf(app).messages.create({ ...message, stream: true }))
            if (++seen === 2) failure.afterEvents?.(app)
        },
        (thrown) => {
          assert.ok(thrown instanceof Anthropic.APIError)
          assert.equal(anthropic.errorIn(thrown.error).code, failure.code)
          return true
        },
      )
      assert.ok(seen >= (failure.code === 'first_byte_timeout' ? 0 : 2), `${seen} events came before`)
    })
  }

  for (const failure of beforeTheFirstByte) {
    test(`throws on ${failure.code} with status ${failure.status}`, async (t) => {
      const [app] = await start(t, failure, anthropic)
      if (failure.code === 'shutting_down') await app.proxy.close()
      await assert.rejects(clientOf(app).messages.create(message), (thrown) => {
        assert.ok(thrown instanceof Anthropic.APIError)
        assert.equal(thrown.status, failure.status)
        assert.equal(thrown instanceof Anthropic.NotFoundError, failure.status === 404)
        assert.equal(thrown instanceof Anthropic.InternalServerError, failure.status >= 500)
        const { error } = thrown
        // A 404 of a path that no protocol claims would be OpenAI's: this one is Anthropic's.
        assert.equal(anthropic.errorIn(error).code, failure.code)
        return true
      })
    })
  }
})
