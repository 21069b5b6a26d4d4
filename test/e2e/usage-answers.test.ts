import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import OpenAI from 'openai'
import type { AiProxyOptions, EstimateTokens } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import {
  allStreams,
  assertTold,
  chatChunk,
  chatUsage,
  sendStream,
  sseEvent,
  storyPieces,
  streams,
  type WireStream,
} from './support/streams.js'

const { chat, anthropic, converse, invoke } = streams

async function asked(
  t: Owner,
  stream: WireStream,
  onCall: (call: Call) => unknown,
  options: Partial<AiProxyOptions> = {},
) {
  const provider = await startProvider(t, { onCall })
  const app = await startApp(t, { target: provider.url, endpoints: 'all', ...options })
  const response = await post(app.url + stream.path, stream.request)
  return { text: await response.text(), record: await app.record() }
}

describe('estimateTokens', () => {
  const withoutUsage = chat.frames.filter((frame) => frame !== chatUsage)
  const send = (frames: readonly Buffer[]) => (call: Call) => sendStream(call, chat, frames).end()

  test('gets every piece of text with the model that answers, and the exchange', async (t) => {
    const given: unknown[] = []
    const exchanges = new Set<string>()
    const estimateTokens: EstimateTokens = (written, { id }) => {
      given.push(written)
      exchanges.add(id)
      return 2.5
    }
    const { text, record } = await asked(t, chat, send(withoutUsage), { estimateTokens })
    const { responseModel } = chat.told
    assert.deepEqual(
      given,
      storyPieces.map((text) => ({ text, model: responseModel })),
    )
    assert.deepEqual([...exchanges], [record.id])
    assertTold(record, { usage: { outputTokens: 2.5 * storyPieces.length, estimated: true } })
    assert.equal(text, Buffer.concat(withoutUsage).toString())
  })

  test('is replaced by what the provider reports at the end', async (t) => {
    const { record } = await asked(t, chat, send(chat.frames), { estimateTokens: () => 1000 })
    assertTold(record, chat.told)
  })

  for (const [what, estimateTokens] of [
    ['throws', () => assert.fail('no tokeniser for this model')],
    ['gives no number', () => Number.NaN],
  ] satisfies [string, () => number][]) {
    test(`a function that ${what} affects neither the stream nor the record`, async (t) => {
      const { text, record } = await asked(t, chat, send(withoutUsage), { estimateTokens })
      assert.equal(text, Buffer.concat(withoutUsage).toString())
      assert.equal(record.outcome, 'completed')
      const { outputTokens } = record.usage ?? {}
      assert.ok(outputTokens === undefined || Number.isFinite(outputTokens), `${outputTokens} tokens`)
    })
  }
})

describe('the record of a non-streaming answer', () => {
  const answer = {
    id: 'chat-9',
    model: 'm-1',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
  }
  const told = {
    usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3, estimated: false },
    responseModel: 'm-1',
    responseId: 'chat-9',
    finishReason: 'stop',
    firstTokenMs: undefined,
    outputTokensPerSecond: undefined,
  }
  const unstreamed = { ...chat, request: { model: 'm', messages: [] } }

  test('has its usage, in one piece, in many, and compressed', async (t) => {
    const text = JSON.stringify(answer)
    for (const act of [
      (call: Call) => call.json(200, answer),
      (call: Call) => {
        call.res.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
        for (const letter of text) call.send(letter)
        call.end()
      },
      (call: Call) =>
        call.res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync(text)),
    ]) {
      const { text: received, record } = await asked(t, unstreamed, act)
      assert.equal(received, text)
      assertTold(record, told)
    }
  })

  test('has its usage even if it is too large to be parsed whole', async (t) => {
    const padded = { padding: 'x'.repeat(300_000), ...answer }
    const { record } = await asked(t, unstreamed, (call) => call.json(200, padded))
    const { usage, responseModel, responseId } = told
    assertTold(record, { usage, responseModel, responseId })
  })

  test('has an estimate if the answer reports no usage', async (t) => {
    const { usage: _, ...silent } = answer
    const { record } = await asked(t, unstreamed, (call) => call.json(200, silent))
    assertTold(record, { ...told, usage: { outputTokens: 1, estimated: true } })
  })

  test('is marked if the answer cannot be read, and has no usage if it breaks off', async (t) => {
    const json = { 'content-type': 'application/json' }
    const { record } = await asked(t, unstreamed, (call) => call.res.writeHead(200, json).end('{"usage":oh}'))
    assertTold(record, { outcome: 'completed', usage: { estimated: true } })

    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(`/ai${chat.path}`, unstreamed.request)
    const call = await provider.next()
    call.res.writeHead(200, json).write(JSON.stringify(answer).slice(0, -2))
    await client.sees('"total_tokens"')
    call.reset()
    assertTold(await app.record(), { outcome: 'upstream_error', usage: undefined })
  })

  test('has its usage even if a stream was requested and the response was opened early', async (t) => {
    const { record } = await asked(t, chat, (call) => call.json(200, answer), { heartbeat: { beforeFirstByte: true } })
    assertTold(record, { usage: told.usage, responseModel: 'm-1' })
  })
})

describe('a failure within a 200 stream', () => {
  const error = { message: 'the model is down', type: 'server_error', code: 'down' }
  const failures: [WireStream, Buffer, RegExp][] = [
    [chat, sseEvent({ error }), /the model is down/],
    [streams.responses, sseEvent({ ...error, type: 'error' }, 'error'), /the model is down/],
    [anthropic, sseEvent({ type: 'error', error: { type: 'overloaded_error', message: 'Busy' } }, 'error'), /Busy/],
    [streams.geminiSse, sseEvent({ error: { code: 503, message: 'No room', status: 'UNAVAILABLE' } }), /No room/],
    [streams.ollamaChat, Buffer.from('{"error":"out of memory"}\n'), /out of memory/],
  ]
  for (const [stream, failure, words] of failures) {
    test(`${stream.name}: is recorded, with an estimate for the text before it`, async (t) => {
      const frames = [...stream.frames.slice(0, 4), failure]
      const { text, record } = await asked(t, stream, (call) => sendStream(call, stream, frames).end())
      assert.equal(text, Buffer.concat(frames).toString())
      assertTold(record, { outcome: 'upstream_error', code: 'upstream_error', status: 200 })
      assert.match(record.error ?? '', words)
      assert.ok((record.usage?.outputTokens ?? 0) > 0)
      assert.equal(record.usage?.estimated, true)
    })
  }

  test('is recorded even if the client leaves as soon as it has read the error, as SDKs do', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'k', maxRetries: 0 })
    const reading = (async () => {
      for await (const _ of await client.chat.completions.create({ model: 'm', messages: [], stream: true })) {
        // Until it throws.
      }
    })()
    const call = await provider.next()
    sendStream(call, chat, [...chat.frames.slice(0, 3), sseEvent({ error })])
    await assert.rejects(reading, OpenAI.APIError)
    const record = await app.record()
    assertTold(record, { outcome: 'upstream_error', code: 'upstream_error' })
    await call.gone
  })

  test("is recorded if it is an exception of Bedrock's", async (t) => {
    const { awsMessage } = await import('../framing/bodies.js')
    const exception = awsMessage(
      {
        ':message-type': 'exception',
        ':exception-type': 'throttlingException',
        ':content-type': 'application/json',
      },
      '{"message":"Too many tokens"}',
    )
    for (const stream of [converse, invoke]) {
      const frames = [...stream.frames.slice(0, 4), exception]
      const { record } = await asked(t, stream, (call) => sendStream(call, stream, frames).end())
      assertTold(record, { outcome: 'upstream_error', code: 'upstream_error' })
      assert.match(record.error ?? '', /Too many tokens/)
    }
  })
})

describe('the first token', () => {
  test('is not the first byte: the events before it have no text', async (t) => {
    for (const stream of allStreams) {
      // What is base64 in `invoke` are the same messages.
      const { frames } = stream === invoke ? anthropic : stream
      const begins = frames.findIndex((frame) => frame.includes('Once there'))
      if (begins === 0) continue
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, endpoints: 'all' })
      const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
      const call = sendStream(await provider.next(), stream, stream.frames.slice(0, begins))
      await client.sees(stream.frames[begins - 1]!.toString('latin1'))
      client.leave()
      assert.equal((await app.record()).firstTokenMs, undefined, stream.name)
      await call.gone
    }
  })

  test('may be reasoning or a tool call', async (t) => {
    for (const delta of [
      { reasoning_content: 'Let me see' },
      { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] },
    ]) {
      const frames = [chatChunk([{ index: 0, delta }]), Buffer.from('data: [DONE]\n\n')]
      const { record } = await asked(t, chat, (call) => sendStream(call, chat, frames).end())
      assert.ok(record.firstTokenMs !== undefined)
    }
  })
})
