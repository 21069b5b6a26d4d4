import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { AiProxyOptions } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { inPhase } from './support/disconnect.js'
import { type Owner, startProvider } from './support/provider.js'
import {
  allStreams,
  assertTold,
  beforeTheEnd,
  chatChunk,
  chatUsage,
  sendStream,
  sseEvent,
  storyBytes,
  streams,
  type WireStream,
} from './support/streams.js'

const { chat, anthropic, geminiSse, converse } = streams
const { stream_options: _, ...unasked } = chat.request
const withoutUsage = chat.frames.filter((frame) => frame !== chatUsage)
const textOf = (frames: readonly Buffer[]) => Buffer.concat(frames).toString()

/** Sends a chat's bytes, and gives what came back. */
async function exchanged(t: Owner, body: string, frames: readonly Buffer[], options: Partial<AiProxyOptions> = {}) {
  const provider = await startProvider(t, { onCall: (call) => sendStream(call, chat, frames).end() })
  const app = await startApp(t, { target: provider.url, ...options })
  const response = await post(app.url + chat.path, undefined, { body })
  const received = await response.text()
  return { sent: await (await provider.next()).text, received, record: await app.record() }
}

describe('includeUsage', () => {
  test('asks for usage if the client does not, changes nothing else, and removes the extra event', async (t) => {
    // A number that JavaScript cannot hold, and spaces: the client's bytes, but for what is put in.
    const rest = `"model" : "m", "seed":12345678901234567890,"stream":true,\n "messages":[] }`
    const { sent, received, record } = await exchanged(t, `{${rest}`, chat.frames)
    assert.deepEqual(JSON.parse(sent), { ...JSON.parse(`{${rest}`), stream_options: { include_usage: true } })
    assert.ok(sent.endsWith(rest))
    assert.equal(received, textOf(withoutUsage))
    assertTold(record, { ...chat.told, outcome: 'completed', events: chat.frames.length })
    assert.equal(record.downstreamBytes, received.length)
  })

  test("adds the request to the client's other options, even if those decline usage", async (t) => {
    const options = { include_obfuscation: false, include_usage: false }
    const body = JSON.stringify({ ...unasked, stream_options: options })
    const { sent, received, record } = await exchanged(t, body, chat.frames)
    assert.deepEqual(JSON.parse(sent).stream_options, { ...options, include_usage: true })
    assert.equal(received, textOf(withoutUsage))
    assertTold(record, chat.told)
  })

  test('changes nothing if the client asks itself', async (t) => {
    const body = JSON.stringify(chat.request, null, 2)
    const { sent, received, record } = await exchanged(t, body, chat.frames)
    assert.equal(sent, body)
    assert.equal(received, textOf(chat.frames))
    assertTold(record, chat.told)
  })

  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'text/plain; charset=utf-8']) {
    test(`asks in JSON labelled as ${type}, which some servers accept`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => sendStream(call, chat, chat.frames).end() })
      const app = await startApp(t, { target: provider.url })
      const body = JSON.stringify(unasked)
      const response = await post(app.url + chat.path, undefined, { body, headers: { 'content-type': type } })
      assert.equal(await response.text(), textOf(withoutUsage))
      const call = await provider.next()
      assert.equal(call.headers['content-type'], type)
      assertTold(await app.record(), { ...chat.told, model: String(unasked.model), stream: true })
    })

    test(`leaves a body labelled as ${type} unchanged if it is not JSON`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, {}) })
      const app = await startApp(t, { target: provider.url })
      const body = 'stream=true&model=m'
      const response = await post(app.url + chat.path, undefined, { body, headers: { 'content-type': type } })
      assert.equal(await response.text(), '{}')
      assert.equal(await (await provider.next()).text, body)
    })
  }

  test('asks in a compressed request as well', async (t) => {
    const provider = await startProvider(t, { onCall: (call) => sendStream(call, chat, chat.frames).end() })
    const app = await startApp(t, { target: provider.url })
    const response = await post(app.url + chat.path, undefined, {
      body: gzipSync(JSON.stringify(unasked)),
      headers: { 'content-encoding': 'gzip' },
    })
    assert.equal(await response.text(), textOf(withoutUsage))
    assertTold(await app.record(), chat.told)
  })

  test('does not ask if no stream is requested', async (t) => {
    const body = JSON.stringify({ ...unasked, stream: false })
    const { sent } = await exchanged(t, body, [])
    assert.equal(sent, body)
  })

  test('switched off: the request is unchanged, and usage is an estimate', async (t) => {
    const body = JSON.stringify(unasked)
    const { sent, received, record } = await exchanged(t, body, withoutUsage, { includeUsage: false })
    assert.equal(sent, body)
    assert.equal(received, textOf(withoutUsage))
    assertTold(record, { ...chat.told, usage: record.usage })
    assertEstimated(chat, record.usage)
  })

  test('switched off: usage that the provider reports anyway is recorded, and passed to the client', async (t) => {
    const { received, record } = await exchanged(t, JSON.stringify(unasked), chat.frames, { includeUsage: false })
    assert.equal(received, textOf(chat.frames))
    assertTold(record, chat.told)
  })

  test("keeps an event that has more than usage: a choice, or fields of this provider's own", async (t) => {
    const usage = { prompt_tokens: 11, completion_tokens: 22, total_tokens: 33 }
    for (const last of [
      chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { usage }),
      chatChunk([], { usage, citations: ['https://example.test'] }),
    ]) {
      const frames = [...withoutUsage.slice(0, -1), last, withoutUsage.at(-1)!]
      const { received, record } = await exchanged(t, JSON.stringify(unasked), frames)
      assert.equal(received, textOf(frames))
      assertTold(record, chat.told)
    }
  })

  test('counts the last of several usage events, and removes only the extra one', async (t) => {
    const counted = (n: number) => ({ usage: { prompt_tokens: 11, completion_tokens: n, total_tokens: 11 + n } })
    const frames = Array.from({ length: 30 }, (_, n) => chatChunk([{ index: 0, delta: { content: 'x' } }], counted(n)))
    const all = [...frames, chatChunk([], counted(30)), Buffer.from('data: [DONE]\n\n')]
    const { received, record } = await exchanged(t, JSON.stringify(unasked), [Buffer.concat(all)])
    assert.equal(received, textOf([...frames, all.at(-1)!]))
    assertTold(record, { usage: { inputTokens: 11, outputTokens: 30, totalTokens: 41, estimated: false } })
  })

  test('leaves requests of other protocols unchanged', async (t) => {
    for (const stream of allStreams.filter(({ request }) => !('stream_options' in request))) {
      const provider = await startProvider(t, { onCall: (call) => sendStream(call, stream, stream.frames).end() })
      const app = await startApp(t, { target: provider.url, endpoints: 'all' })
      const body = JSON.stringify(stream.request, null, 1)
      await (await post(app.url + stream.path, undefined, { body })).arrayBuffer()
      assert.equal(await (await provider.next()).text, body, stream.name)
    }
  })
})

/** An estimate of all the text, and what had been told before. */
function assertEstimated(stream: WireStream, usage: { outputTokens?: number; estimated: boolean } | undefined): void {
  assert.equal(usage?.estimated, true)
  const { outputTokens = 0 } = usage
  const text = stream.format === 'gemini' ? 12 : storyBytes / 4
  assert.ok(outputTokens > text * 0.7 && outputTokens < text * 1.5, `${outputTokens} tokens for about ${text}`)
}

describe('usage of a stream that ends early', () => {
  for (const stream of allStreams) {
    test(`${stream.name}: is an estimate if the client leaves, the provider breaks off, or a limit is hit`, async (t) => {
      const provider = await startProvider(t)
      const begun = beforeTheEnd(stream)
      const begin = async (limits: AiProxyOptions['limits']) => {
        const app = await startApp(t, { target: provider.url, endpoints: 'all', limits })
        const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
        const call = sendStream(await provider.next(), stream, begun)
        await client.sees(begun.at(-1)!.toString('latin1'))
        return { app, client, call }
      }
      const left = await begin({})
      left.client.leave()
      const gone = await left.app.record()
      assert.equal(gone.outcome, 'client_disconnect')
      assertEstimated(stream, gone.usage)
      await left.call.gone

      const broken = await begin({})
      broken.call.reset()
      const cut = await broken.app.record()
      assert.equal(cut.outcome, 'upstream_error')
      assertEstimated(stream, cut.usage)

      const silent = await begin({ idleTimeoutMs: 30 })
      const stopped = await silent.app.record()
      assert.equal(stopped.code, 'idle_timeout')
      assertEstimated(stream, stopped.usage)
    })
  }

  async function leftAfter(t: Owner, stream: WireStream, frames: readonly Buffer[]) {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url })
    const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
    sendStream(await provider.next(), stream, frames)
    await client.sees(frames.at(-1)!.toString('latin1'))
    client.leave()
    return app.record()
  }

  test("is an estimate if the HTTP response is complete but Anthropic's last figures are missing", async (t) => {
    const provider = await startProvider(t, {
      onCall: (call) => sendStream(call, anthropic, beforeTheEnd(anthropic)).end(),
    })
    const app = await startApp(t, { target: provider.url })
    await (await post(app.url + anthropic.path, anthropic.request)).text()
    assertEstimated(anthropic, (await app.record()).usage)
  })

  test("keeps the figures that Anthropic's start reported", async (t) => {
    const record = await leftAfter(t, anthropic, beforeTheEnd(anthropic))
    assert.deepEqual(
      { ...record.usage, outputTokens: 0 },
      { inputTokens: 7, cachedInputTokens: 100, cacheWriteTokens: 50, outputTokens: 0, estimated: true },
    )
    assertTold(record, { responseModel: anthropic.told.responseModel, responseId: anthropic.told.responseId })
  })

  test('is undefined if nothing was generated or reported', async (t) => {
    assert.equal((await leftAfter(t, converse, converse.frames.slice(0, 1))).usage, undefined)
  })

  test('has the reported figures if only the start arrived', async (t) => {
    const record = await leftAfter(t, anthropic, anthropic.frames.slice(0, 1))
    assertTold(record, { usage: { ...anthropic.told.usage, outputTokens: 1, estimated: true } })
  })

  test('has the reported figures if they cover all the text so far, even if an estimate is higher', async (t) => {
    const figures = { promptTokenCount: 5, candidatesTokenCount: 3, totalTokenCount: 8 }
    const told = (text: string) =>
      sseEvent({ candidates: [{ content: { parts: [{ text }] } }], usageMetadata: figures, modelVersion: 'm' })
    const record = await leftAfter(t, geminiSse, [told('a word of three tokens, and of many, many bytes')])
    assertTold(record, { usage: { inputTokens: 5, outputTokens: 3, totalTokens: 8, estimated: true } })
  })

  test('has the last figures if they have arrived, even without the terminator', async (t) => {
    const usage = { prompt_tokens: 11, completion_tokens: 3, total_tokens: 14 }
    const record = await leftAfter(t, chat, [...withoutUsage.slice(0, -1), chatChunk([], { usage })])
    assert.equal(record.outcome, 'client_disconnect')
    assert.deepEqual([record.usage?.inputTokens, record.usage?.outputTokens, record.usage?.totalTokens], [11, 3, 14])
  })

  test('is exact if the client leaves after the terminator', async (t) => {
    const record = await leftAfter(t, chat, chat.frames)
    assertTold(record, { ...chat.told, outcome: 'completed' })
  })
})

describe("onClientDisconnect: 'drain'", () => {
  for (const stream of allStreams) {
    test(`${stream.name}: reports the true usage although the client has left`, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url, endpoints: 'all', onClientDisconnect: 'drain' })
      const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
      const call = sendStream(await provider.next(), stream, stream.frames.slice(0, 2))
      await client.sees(stream.frames[1]!.toString('latin1'))
      client.leave()
      await inPhase(app, 'draining')
      for (const frame of stream.frames.slice(2)) call.send(frame)
      call.end()
      assertTold(await app.record(), { ...stream.told, outcome: 'client_disconnect' })
    })
  }

  test('estimates if the provider breaks off meanwhile', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, onClientDisconnect: 'drain' })
    const client = (await connect(t, app.port)).post(`/ai${chat.path}`, chat.request)
    const call = sendStream(await provider.next(), chat, chat.frames.slice(0, 2))
    await client.sees('Once')
    client.leave()
    await inPhase(app, 'draining')
    call.res.write(chat.frames[2], () => call.reset())
    const { usage, code } = await app.record()
    assert.deepEqual([usage?.estimated, code], [true, 'upstream_reset'])
  })
})
