import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import OpenAI from 'openai'
import { readSse } from '../../lib/framing/sse-message.js'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from '../e2e/support/app.js'
import { post } from '../e2e/support/client.js'
import { type Call, type Owner, startProvider } from '../e2e/support/provider.js'
import { sseEvent } from '../e2e/support/streams.js'

const asked = { model: 'gpt-4o', input: 'Tell a story', stream: true } as const
const begun = [
  sseEvent(
    { type: 'response.created', sequence_number: 0, response: { id: 'resp-7', status: 'in_progress' } },
    'response.created',
  ),
  sseEvent({ type: 'response.output_text.delta', sequence_number: 1, delta: 'Once' }, 'response.output_text.delta'),
]

async function started(t: Owner, act: (call: Call) => unknown, options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t, { onCall: act })
  const app = await startApp(t, { target: provider.url, ...options })
  return { provider, app, client: new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'sk-client' }) }
}

/** The last event, as a reader of typed events takes it. */
async function lastEvent(url: string): Promise<{ name: string | undefined; data: Record<string, unknown> }> {
  const text = await (await post(`${url}/v1/responses`, asked)).text()
  const { event: name, data } = readSse(Buffer.from(`${text.trimEnd().split('\n\n').at(-1)}\n\n`))!
  return { name, data: JSON.parse(data) }
}

describe('openai: a responses stream that fails', () => {
  const failures: [
    code: string,
    id: RegExp,
    next: number,
    act: (call: Call) => unknown,
    options: Partial<AiProxyOptions>,
  ][] = [
    ['upstream_truncated', /^resp-7$/, 2, (call) => call.sse(begun.map(String)).end(), {}],
    [
      'upstream_reset',
      /^resp-7$/,
      2,
      (call) => call.sse(begun.map(String)).res.write('data: {"ha', () => call.reset()),
      {},
    ],
    ['idle_timeout', /^resp-7$/, 2, (call) => call.sse(begun.map(String)), { limits: { idleTimeoutMs: 200 } }],
    [
      'first_byte_timeout',
      /^resp_[\w-]{36}$/,
      0,
      () => {},
      { heartbeat: { beforeFirstByte: true }, limits: { firstByteTimeoutMs: 200 } },
    ],
  ]
  for (const [code, id, next, act, options] of failures) {
    test(`${code}: the SDK throws, and a reader of typed events gets response.failed`, async (t) => {
      const { app, client } = await started(t, act, options)
      const reading = (async () => {
        for await (const event of await client.responses.create(asked)) assert.notEqual(event.type, 'response.failed')
      })()
      await assert.rejects(reading, (error) => error instanceof OpenAI.APIError && error.code === code)
      await app.record()
      const { name, data } = await lastEvent(app.url)
      const { type, sequence_number, response, error } = data as {
        type: string
        sequence_number: number
        response: OpenAI.Responses.Response
        error: object
      }
      assert.deepEqual([name, type, sequence_number], ['response.failed', 'response.failed', next])
      assert.match(response.id, id)
      assert.deepEqual([response.object, response.status, response.error?.code], ['response', 'failed', code])
      assert.equal(response.error?.message, (error as { message?: unknown }).message)
    })
  }
})

describe('openai: the SDK does not retry if that would only fail again and be billed again', () => {
  const cases: [code: string, calls: number, act: (call: Call) => unknown, limits: AiProxyOptions['limits']][] = [
    ['first_byte_timeout', 1, () => {}, { firstByteTimeoutMs: 300 }],
    ['first_token_timeout', 1, () => {}, { firstTokenTimeoutMs: 300 }],
    [
      'response_too_large',
      1,
      (call) => call.json(200, { a: 'aaaaaaaaa' }, { 'content-length': 17 }),
      { maxResponseBytes: 9 },
    ],
    ['upstream_reset', 3, (call) => call.reset(), {}],
  ]
  for (const [code, calls, act, limits] of cases) {
    test(`${code}: the SDK asks ${calls === 1 ? 'once' : `${calls} times`}`, async (t) => {
      const { provider, client } = await started(t, act, { limits })
      await assert.rejects(
        client.responses.create(asked),
        (error) => error instanceof OpenAI.APIError && error.code === code,
      )
      assert.equal(provider.calls.length, calls)
    })
  }
})
