import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { startApp } from './support/app.js'
import { connect } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import {
  allStreams,
  assertTold,
  beforeTheEnd,
  chatChunk,
  sendStream,
  sseEvent,
  streams,
  type WireStream,
} from './support/streams.js'

const { chat, anthropic, geminiSse, geminiArray } = streams
const exceeded = { outcome: 'limit_exceeded', code: 'output_tokens_exceeded', limit: 'maxOutputTokens' } as const

describe('maxOutputTokens', () => {
  /** Sends all but the end, and waits for what the proxy does about it. */
  async function flooded(t: Owner, stream: WireStream, frames: readonly Buffer[], maxOutputTokens: number) {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: 'all', limits: { maxOutputTokens } })
    const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
    const call = sendStream(await provider.next(), stream, frames)
    return { app, client, call }
  }
  const bodies: Record<WireStream['format'], RegExp> = {
    'openai-chat': /data: \{"error":\{"message":".*","type":"server_error","code":"output_tokens_exceeded"/,
    'openai-completions': /data: \{"error":\{.*"output_tokens_exceeded"/,
    'openai-responses': /data: \{"error":\{.*"output_tokens_exceeded"/,
    'openai-embeddings': /none/,
    'openai-media': /data: \{"error":\{.*"output_tokens_exceeded"/,
    anthropic: /event: error\ndata: \{"type":"error","error":\{.*"output_tokens_exceeded"/,
    gemini: /data: \{"error":\{"code":502,.*"output_tokens_exceeded"/,
    'gemini-interactions': /event: error\ndata: \{"error":\{"code":502,.*"output_tokens_exceeded"/,
    'bedrock-converse': /:exception-type[\s\S]*internalServerException[\s\S]*"output_tokens_exceeded"/,
    'bedrock-invoke': /:exception-type[\s\S]*internalServerException[\s\S]*"output_tokens_exceeded"/,
    'ollama-chat': /\{"error":".*","code":"output_tokens_exceeded"\}\n/,
    'ollama-generate': /\{"error":".*","code":"output_tokens_exceeded"\}\n/,
    cohere: /data: \{"message":".*","code":"output_tokens_exceeded"\}/,
    tgi: /data: \{"error":".*","error_type":"output_tokens_exceeded"\}/,
    'llama-cpp': /data: \{"error":\{.*"output_tokens_exceeded"/,
  }

  for (const stream of allStreams) {
    test(`${stream.name}: a stream that exceeds it, as estimated, ends with an error in its protocol`, async (t) => {
      const { app, client, call } = await flooded(t, stream, beforeTheEnd(stream), 8)
      if (stream === geminiArray) await client.end()
      else await client.sees(bodies[stream.format])
      await call.gone
      const record = await app.record()
      assertTold(record, { ...exceeded, status: 200 })
      assert.ok((record.usage?.outputTokens ?? 0) > 8)
      assert.equal(record.usage?.estimated, true)
    })
  }

  test("uses the provider's count if the provider reports it during the stream", async (t) => {
    const told = (count: number) =>
      sseEvent({
        candidates: [{ content: { parts: [{ text: 'x' }] } }],
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: count, totalTokenCount: count + 1 },
      })
    const { app, client, call } = await flooded(t, geminiSse, [told(50), told(100)], 100)
    await client.sees('"candidatesTokenCount":100')
    assert.equal(app.records.length, 0, 'as many as it may have are not too many')
    call.send(told(101))
    await client.sees('output_tokens_exceeded')
    const record = await app.record()
    assertTold(record, exceeded)
    assert.equal(record.usage?.outputTokens, 101)
  })

  test("ignores an estimate that is higher than the provider's count for the same text", async (t) => {
    const text = 'a long text of few tokens, which any estimate by its length takes for more'
    const event = sseEvent({
      candidates: [{ content: { parts: [{ text }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 4, totalTokenCount: 5 },
    })
    const { app, client, call } = await flooded(t, geminiSse, [event], 10)
    call.end()
    await client.sees('0\r\n\r\n')
    assertTold(await app.record(), { outcome: 'completed', code: undefined })
  })

  test('does not end a stream that is already complete', async (t) => {
    const usage = { prompt_tokens: 1, completion_tokens: 500, total_tokens: 501 }
    const { app, client, call } = await flooded(
      t,
      chat,
      [Buffer.concat([chatChunk([], { usage }), Buffer.from('data: [DONE]\n\n')])],
      100,
    )
    call.end()
    await client.sees('[DONE]')
    assertTold(await app.record(), { outcome: 'completed', limit: undefined })
  })

  const finish = chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }])
  const word = chatChunk([{ index: 0, delta: { content: ' word' } }])

  test('does not end a stream that has a finish reason, and whose figures come later', async (t) => {
    const { app, client, call } = await flooded(t, chat, [word, finish], 10)
    await client.sees('"stop"')
    call.send(chatChunk([], { usage: { prompt_tokens: 1, completion_tokens: 500, total_tokens: 501 } }))
    await client.sees('501')
    call.end('data: [DONE]\n\n')
    await client.sees('[DONE]')
    assertTold(await app.record(), { outcome: 'completed', limit: undefined })
  })

  test('ends a stream that goes on after a finish reason', async (t) => {
    const { app, client, call } = await flooded(t, chat, [word, word, finish], 10)
    await client.sees('"stop"')
    for (let turn = 0; turn < 4; turn++) {
      call.send(Buffer.concat(Array(4).fill(word)))
      if (turn < 2) for (let each = 0; each < 4; each++) await client.sees(' word')
    }
    await client.sees('output_tokens_exceeded')
    assertTold(await app.record(), exceeded)
  })

  test("OpenAI's SDK and Anthropic's throw the error", async (t) => {
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const provider = await startProvider(t, {
      onCall: (call) => {
        const stream = call.url.endsWith('/messages') ? anthropic : chat
        sendStream(call, stream, beforeTheEnd(stream))
      },
    })
    const app = await startApp(t, { target: provider.url, limits: { maxOutputTokens: 8 } })
    const openai = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'k', maxRetries: 0 })
    await assert.rejects(
      async () => {
        for await (const _ of await openai.chat.completions.create({ model: 'm', messages, stream: true })) {
          // Until it throws.
        }
      },
      (error) => error instanceof OpenAI.APIError && error.code === exceeded.code,
    )
    assertTold(await app.record(), exceeded)
    const claude = new Anthropic({ baseURL: app.url, apiKey: 'k', maxRetries: 0 })
    await assert.rejects(
      claude.messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage(),
      (error) => error instanceof Anthropic.APIError && error.message.includes(exceeded.code),
    )
    assertTold(await app.record(), exceeded)
  })
})
