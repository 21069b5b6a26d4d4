import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { event, rig, SSE } from './controlling.js'

const json = (value: unknown) => event(JSON.stringify(value))
const delta = (more: object) => json({ choices: [{ index: 0, delta: more, finish_reason: null }] })
const named = (type: string, more: object) => `event: ${type}\n${json({ type, ...more })}`
const aws = (name: string, data: object) =>
  awsEventStream.write({ event: name, data: JSON.stringify(data) }).toString('latin1')
const line = (value: object) => `${JSON.stringify(value)}\n`

const AWS = { 'content-type': 'application/vnd.amazon.eventstream' }
const NDJSON = { 'content-type': 'application/x-ndjson' }

/** What begins a stream without content, and what has some. */
const streams: [path: string, headers: Record<string, string>, preamble: string[], content: string[]][] = [
  [
    '/v1/chat/completions',
    SSE,
    [': ping\n\n', delta({ role: 'assistant', content: '' }), json({ choices: [] }), event('{"choices":null}')],
    [
      delta({ content: 'Once' }),
      delta({ reasoning_content: 'Hm' }),
      delta({ tool_calls: [{ index: 0, id: 'c', function: { name: 'look', arguments: '' } }] }),
      json({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
      delta({ audio: { id: 'a', data: 'AAAA' } }),
      delta({ content: '', images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aa' } }] }),
      delta({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'aa' }] }),
    ],
  ],
  [
    '/v1/messages',
    SSE,
    [
      named('message_start', { message: { id: 'm', content: [], stop_reason: null } }),
      named('ping', {}),
      named('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      named('content_block_start', { index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }),
    ],
    [
      named('content_block_delta', { index: 0, delta: { type: 'thinking_delta', thinking: 'Hm' } }),
      named('content_block_start', { index: 0, content_block: { type: 'tool_use', id: 't', name: 'look', input: {} } }),
      named('message_delta', { delta: { stop_reason: 'end_turn' } }),
      named('content_block_start', { index: 0, content_block: { type: 'redacted_thinking', data: 'aa' } }),
      named('content_block_delta', { index: 0, delta: { type: 'signature_delta', signature: 'aa' } }),
    ],
  ],
  [
    '/v1/responses',
    SSE,
    [
      named('response.created', { response: { id: 'r', status: 'in_progress' } }),
      named('response.in_progress', { response: { id: 'r', status: 'in_progress' } }),
      named('response.output_item.added', { item: { type: 'reasoning', summary: [], encrypted_content: 'aa' } }),
      named('keepalive', {}),
    ],
    [
      named('response.output_text.delta', { delta: 'Once' }),
      named('response.reasoning_summary_text.delta', { delta: 'Hm' }),
      named('response.output_item.added', { item: { type: 'function_call', name: 'look', arguments: '' } }),
      named('response.image_generation_call.partial_image', { partial_image_b64: 'aa' }),
      named('response.output_item.done', { item: { type: 'reasoning', summary: [], encrypted_content: 'aa' } }),
    ],
  ],
  [
    '/v1beta/models/g:streamGenerateContent?alt=sse',
    SSE,
    [json({ usageMetadata: { promptTokenCount: 3 } }), json({ candidates: [{ content: { parts: [{ text: '' }] } }] })],
    [
      json({ candidates: [{ content: { parts: [{ functionCall: { name: 'look' } }] } }] }),
      json({ candidates: [{ content: { parts: [{ inlineData: { data: 'aa' } }] } }] }),
    ],
  ],
  [
    '/v1beta/interactions',
    SSE,
    [json({ event_type: 'interaction.created', interaction: { id: 'i' } })],
    [
      json({ event_type: 'step.delta', delta: { type: 'text', text: 'Once' } }),
      json({ event_type: 'step.delta', delta: { type: 'thought_signature', signature: 'aa' } }),
    ],
  ],
  [
    '/model/m/converse-stream',
    AWS,
    [aws('messageStart', { role: 'assistant' })],
    [
      aws('contentBlockDelta', { delta: { text: 'Once' } }),
      aws('contentBlockStart', { start: { toolUse: { name: 'look' } } }),
      aws('contentBlockDelta', { delta: { reasoningContent: { redactedContent: 'aa' } } }),
      aws('contentBlockDelta', { delta: { reasoningContent: { signature: 'aa' } } }),
      aws('contentBlockDelta', { delta: { image: { source: { bytes: 'aa' } } } }),
    ],
  ],
  [
    '/api/chat',
    NDJSON,
    [line({ message: { content: '' }, done: false })],
    [line({ message: { content: 'Once' }, done: false }), line({ message: { thinking: 'Hm' }, done: false })],
  ],
]

describe('firstTokenTimeoutMs', () => {
  for (const [path, headers, preamble, contents] of streams) {
    test(`${path}: is not stopped by events without content`, async (t) => {
      const { res, answer, advance, run, ended } = rig(t, { path, limits: { firstTokenTimeoutMs: 1000 } })
      const response = await answer(headers)
      for (const each of preamble) {
        await advance(200)
        response.write(Buffer.from(each, 'latin1'))
        await run()
      }
      await advance(1000 - 200 * preamble.length - 1)
      assert.equal(res.writableEnded, false)
      await advance(1)
      assert.equal(res.writableEnded, true)
      assert.match(res.body, /first_token_timeout/)
      res.finish()
      assert.deepEqual([ended().outcome, ended().code], ['limit_exceeded', 'first_token_timeout'])
    })

    for (const content of contents) {
      test(`${path}: is stopped by content: ${content.replace(/[^ -~]+/g, ' ')}`, async (t) => {
        const { res, answer, advance, run } = rig(t, { path, limits: { firstTokenTimeoutMs: 1000 } })
        const response = await answer(headers, Buffer.from(preamble.join(''), 'latin1'))
        await advance(999)
        response.write(Buffer.from(content, 'latin1'))
        await run()
        await advance(60_000)
        assert.equal(res.writableEnded, false)
        res.destroy()
      })
    }
  }

  test('does not apply to a non-streaming answer that has begun', async (t) => {
    const { res, answer, advance, ended } = rig(t, { limits: { firstTokenTimeoutMs: 1000 } })
    const response = await answer({ 'content-type': 'application/json' }, '{"a":')
    await advance(5000)
    response.end('1}')
    await advance(0)
    assert.equal(res.body, '{"a":1}')
    res.finish()
    assert.equal(ended().outcome, 'completed')
  })

  test('does not apply to a stream of an unknown protocol that has begun', async (t) => {
    const { res, answer, advance } = rig(t, { path: '/v1/unheard-of', limits: { firstTokenTimeoutMs: 1000 } })
    await answer(SSE, event('Once'))
    await advance(5000)
    assert.equal(res.writableEnded, false)
    res.destroy()
  })
})

describe('progressTimeoutMs', () => {
  for (const [path, headers, preamble, [content, other]] of streams) {
    test(`${path}: does not apply to the first token, and is reset by content only`, async (t) => {
      const { res, answer, advance, run, ended } = rig(t, { path, limits: { progressTimeoutMs: 1000 } })
      const response = await answer(headers, Buffer.from(preamble[0]!, 'latin1'))
      await advance(50_000)
      assert.equal(res.writableEnded, false)
      for (const each of [content!, other!, content!]) {
        response.write(Buffer.from(each, 'latin1'))
        await run()
        await advance(999)
      }
      response.write(Buffer.from(preamble.join('').repeat(50), 'latin1'))
      await run()
      assert.equal(res.writableEnded, false)
      await advance(1)
      assert.match(res.body, /progress_timeout/)
      res.finish()
      assert.deepEqual([ended().outcome, ended().code], ['limit_exceeded', 'progress_timeout'])
    })
  }

  test('is reset by content anywhere in a chunk', async (t) => {
    const { res, answer, advance, run } = rig(t, { limits: { progressTimeoutMs: 1000 } })
    const response = await answer(SSE, delta({ content: 'Once' }).repeat(30))
    for (let n = 0; n < 5; n++) {
      await advance(900)
      response.write(delta({ content: 'Once' }) + ': ping\n\n'.repeat(20))
      await run()
    }
    assert.equal(res.writableEnded, false)
    res.destroy()
  })

  test('is paused while the client has to read, and stops at the end of the stream', async (t) => {
    const limits = { progressTimeoutMs: 1000, drainTimeoutMs: 60_000, terminatorGraceMs: 5000 }
    const { res, answer, advance, run, ended } = rig(t, { limits })
    res.keepsUp = false
    const response = await answer(SSE, delta({ content: 'Once' }))
    await advance(20_000)
    res.drain()
    await run()
    await advance(999)
    assert.equal(res.writableEnded, false)
    response.write(event('[DONE]'))
    await run()
    await advance(4999)
    assert.equal(res.writableEnded, false)
    await advance(1)
    res.finish()
    assert.equal(ended().outcome, 'completed')
  })
})
