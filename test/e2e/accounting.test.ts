import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { type Owner, startProvider } from './support/provider.js'

interface Asked {
  readonly path: string
  readonly request: object
  readonly type?: string
  readonly frames: readonly string[]
}

/** What a client gets of an answer, and what is recorded of it. */
async function asked(t: Owner, { path, request, type = 'text/event-stream', frames }: Asked) {
  const provider = await startProvider(t, {
    onCall: (call) => {
      call.res.writeHead(200, { 'content-type': type })
      for (const frame of frames) call.send(frame)
      call.end()
    },
  })
  const app = await startApp(t, { target: provider.url, endpoints: 'all' })
  const response = await fetch(app.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
  return { text: await response.text(), record: await app.record() }
}

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`

describe('records report tokens', () => {
  test("of Cohere's chat v1, whose NDJSON has a content type of its own", async (t) => {
    const frames = [
      '{"event_type":"stream-start","generation_id":"g1"}\n',
      '{"event_type":"text-generation","text":"Hello"}\n',
      '{"event_type":"stream-end","finish_reason":"COMPLETE","response":{"meta":{"tokens":{"input_tokens":7,"output_tokens":2}}}}\n',
    ]
    const request = { message: 'Hi', stream: true }
    const { text, record } = await asked(t, { path: '/v1/chat', request, type: 'application/stream+json', frames })
    assert.equal(text, frames.join(''))
    assert.deepEqual([record.format, record.outcome, record.events], ['cohere', 'completed', 3])
    assert.deepEqual(record.usage, { inputTokens: 7, outputTokens: 2, estimated: false })
    assert.ok(record.firstTokenMs !== undefined)
  })

  test("of Google's Interactions API", async (t) => {
    const usage = { total_input_tokens: 7, total_output_tokens: 2, total_thought_tokens: 30, total_tokens: 39 }
    const frames = [
      data({ interaction: { id: 'v1_1', status: 'in_progress', model: 'g' }, event_type: 'interaction.created' }),
      data({ index: 0, delta: { type: 'text', text: 'Hello' }, event_type: 'step.delta' }),
      data({ interaction: { id: 'v1_1', status: 'completed', usage }, event_type: 'interaction.completed' }),
      'event: done\ndata: [DONE]\n\n',
    ]
    const request = { model: 'g', input: 'Hi', stream: true }
    const { text, record } = await asked(t, { path: '/v1beta/interactions', request, frames })
    assert.equal(text, frames.join(''))
    assert.deepEqual(
      [record.format, record.outcome, record.finishReason],
      ['gemini-interactions', 'completed', 'completed'],
    )
    assert.deepEqual(record.tokens, {
      uncachedInput: 7,
      cachedInput: 0,
      cacheWrite: 0,
      visibleOutput: 2,
      reasoning: 30,
      total: 39,
    })
  })

  test('of generated images', async (t) => {
    const usage = { input_tokens: 50, output_tokens: 60, total_tokens: 110 }
    const frames = [data({ type: 'image_generation.completed', b64_json: 'aGk=', usage })]
    const request = { prompt: 'a cat', stream: true }
    const { record } = await asked(t, { path: '/v1/images/generations', request, frames })
    assert.deepEqual([record.outcome, record.format, record.tokens?.total], ['completed', 'openai-media', 110])
  })

  test('of a Gemini answer without usage, as an estimate', async (t) => {
    const candidates = [{ content: { parts: [{ text: 'x'.repeat(4000) }] }, finishReason: 'STOP' }]
    const path = '/v1beta/models/g:generateContent'
    const frames = [JSON.stringify({ candidates })]
    const { record } = await asked(t, { path, request: { contents: [] }, type: 'application/json', frames })
    const { outputTokens, ...usage } = record.usage!
    assert.deepEqual(usage, { estimated: true })
    assert.ok(outputTokens! > 900 && outputTokens! < 1100, `${outputTokens} tokens`)
    assert.equal(record.tokens?.total, outputTokens)
  })

  test('marked as estimated if the body is binary and cannot be read', async (t) => {
    const path = '/v1beta/models/g:generateContent'
    const { record } = await asked(t, { path, request: {}, type: 'application/x-protobuf', frames: ['\n\u0005'] })
    assert.deepEqual([record.usage, record.tokens?.total], [{ estimated: true }, 0])
  })

  test('only if something is generated', async (t) => {
    const path = '/v1/moderations'
    const { record } = await asked(t, { path, request: {}, type: 'application/json', frames: ['{"results":[]}'] })
    assert.deepEqual([record.usage, record.tokens], [undefined, undefined])
  })
})

test("Azure's usage event does not reach a client that did not ask for it, even with a latency checkpoint", async (t) => {
  const choice = (delta: object, finish_reason: string | null = null) =>
    data({ id: 'c', choices: [{ index: 0, delta, finish_reason }] })
  const usage = { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 }
  const frames = [
    choice({ content: 'Hi' }),
    choice({}, 'stop'),
    data({ id: 'c', choices: [], usage, latency_checkpoint: { engine_ttft_ms: 31 }, prompt_filter_results: [] }),
    'data: [DONE]\n\n',
  ]
  const request = { model: 'm', messages: [], stream: true }
  const { text, record } = await asked(t, { path: '/v1/chat/completions', request, frames })
  assert.equal(text, [frames[0], frames[1], frames[3]].join(''))
  assert.deepEqual(record.usage, { inputTokens: 3, outputTokens: 1, totalTokens: 4, estimated: false })
})
