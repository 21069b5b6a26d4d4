import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime'
import { GoogleGenAI } from '@google/genai'
import { Ollama } from 'ollama'
import type { AiProxyOptions } from '../../lib/index.js'
import { awsEvent } from '../framing/bodies.js'
import { collected } from './support/aimock.js'
import { startApp } from './support/app.js'
import { withBedrock } from './support/aws.js'
import { connect, post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import {
  allStreams,
  assertTold,
  chatUsage,
  sendStream,
  sseEvent,
  storyPieces,
  streams,
  type WireStream,
} from './support/streams.js'

type OnEvent = NonNullable<AiProxyOptions['onEvent']>
type Event = Parameters<OnEvent>[0]

const { chat, anthropic, geminiArray, geminiSse, converse, invoke, ollamaChat } = streams
const latin1 = (bytes: Buffer) => bytes.toString('latin1')

/** A whole stream through a hook; what the client got. */
async function hooked(
  t: Owner,
  stream: WireStream,
  onEvent: OnEvent | undefined,
  { chunks = stream.frames, ...options }: Partial<AiProxyOptions> & { chunks?: readonly Buffer[] } = {},
) {
  const provider = await startProvider(t, { onCall: (call) => sendStream(call, stream, chunks).end() })
  const app = await startApp(t, { target: provider.url, endpoints: 'all', ...(onEvent && { onEvent }), ...options })
  const response = await post(app.url + stream.path, stream.request)
  const received = Buffer.from(await response.arrayBuffer())
  return { received, record: await app.record() }
}

interface Answer {
  candidates: { content: { parts: { text: string }[] } }[]
}

/** The text that an event has, wherever its format has it. */
const hasText = ({ data }: Event) => storyPieces.some((piece) => JSON.stringify(data).includes(piece))

describe('onEvent', () => {
  for (const [name, data] of [
    ['nested too deeply', `data: ${'['.repeat(40_000)}${']'.repeat(40_000)}`],
    ['of millions of values', `data: [${'{},'.repeat(2_200_000)}{}]`],
    ['of millions of values, in a quote that a comment opens', `: "\ndata: [${'{},'.repeat(2_200_000)}{}]`],
    ['of millions of values, in a quote that its name opens', `event: "\ndata: [${'{},'.repeat(2_200_000)}{}]`],
    ['of millions of lines', 'data:\n'.repeat(1_250_000)],
    ['of millions of lines that end with CR, in a quote', `: "\r${'data:\r'.repeat(1_250_000)}`],
  ] as const) {
    test(`an event ${name} is not parsed, and ends the stream`, async (t) => {
      const before = chat.frames[0]!
      const chunks = [before, Buffer.from(`${data}\n\n`), ...chat.frames.slice(1)]
      let seen = 0
      const { received, record } = await hooked(t, chat, () => void seen++, { chunks })
      assert.equal(seen, 1)
      assert.ok(received.subarray(0, before.length).equals(before) && received.length < 2000)
      assert.deepEqual(
        [record.outcome, record.error],
        ['upstream_error', 'The provider sent an event that cannot be read'],
      )
    })
  }

  test('an event in base64 of millions of values is not parsed, and ends the stream', async (t) => {
    const base64 = Buffer.from(`{"completion":[${'{},'.repeat(2_200_000)}{}]}`).toString('base64')
    const [before, ...after] = invoke.frames as [Buffer, ...Buffer[]]
    const chunks = [before, awsEvent(JSON.stringify({ bytes: base64 }), 'chunk'), ...after]
    let seen = 0
    const { record } = await hooked(t, invoke, () => void seen++, { chunks })
    assert.equal(seen, 1)
    assert.deepEqual(
      [record.outcome, record.error],
      ['upstream_error', 'The provider sent an event that cannot be read'],
    )
  })

  test('without it, such an event passes', async (t) => {
    const deep = `{"completion":"x","z":${'['.repeat(40_000)}${']'.repeat(40_000)}}`
    const event = awsEvent(JSON.stringify({ bytes: Buffer.from(deep).toString('base64') }), 'chunk')
    const chunks = [...invoke.frames.slice(0, -1), event, ...invoke.frames.slice(-1)]
    for (const before of [chunks, [event, ...invoke.frames]]) {
      const { received, record } = await hooked(t, invoke, undefined, { chunks: before })
      assert.deepEqual(received, Buffer.concat(before))
      assert.equal(record.outcome, 'completed')
    }
  })

  for (const stream of allStreams) {
    for (const [what, chunks] of [
      ['one at a time', stream.frames],
      ['all at once', [Buffer.concat(stream.frames)]],
    ] as const) {
      test(`${stream.name}: sees every event, ${what}; the bytes stay unchanged, and usage is reported`, async (t) => {
        const seen: Event[] = []
        const { received, record } = await hooked(t, stream, (event) => void seen.push(event), { chunks })
        assert.equal(latin1(received), latin1(Buffer.concat(stream.frames)))
        const without = stream.frames.filter((frame) => /^data: \[DONE\]|^\n\]$/.test(frame.toString())).length
        assert.equal(seen.length, stream.frames.length - without)
        assert.ok(seen.every(({ format }) => format === stream.format))
        assertTold(record, { ...stream.told, outcome: 'completed' })
      })
    }

    test(`${stream.name}: drops and replaces events`, async (t) => {
      let texts = 0
      const { received, record } = await hooked(t, stream, (event) => {
        if (stream !== streams.invoke && !hasText(event)) return undefined
        texts++
        return texts === 1 ? null : undefined
      })
      const dropped =
        stream === streams.invoke ? 0 : stream.frames.findIndex((frame) => frame.includes('Once there was'))
      const expected = Buffer.concat(stream.frames.filter((_, at) => at !== dropped))
      if (stream === geminiArray) assert.equal(JSON.parse(received.toString()).length, storyPieces.length - 1)
      else assert.equal(latin1(received), latin1(expected))
      assertTold(record, { usage: stream.told.usage, outcome: 'completed' })
    })
  }

  test("gets the exchange and the event's name", async (t) => {
    const seen: unknown[] = []
    const { record } = await hooked(t, anthropic, ({ event, data }, { id, path, model, stream, format, req }) => {
      seen.push([event, (data as { type: string }).type])
      assert.deepEqual(
        [id.length, path, model, stream, format, req.method],
        [36, anthropic.path, anthropic.told.responseModel, true, 'anthropic', 'POST'],
      )
    })
    assert.equal(record.code, undefined)
    assert.deepEqual(seen[0], ['message_start', 'message_start'])
    assert.deepEqual(seen.at(-1), ['message_stop', 'message_stop'])
  })

  test('does not see the usage event that only we asked for', async (t) => {
    const { stream_options: _, ...request } = chat.request
    const seen: Event[] = []
    const { received, record } = await hooked(t, { ...chat, request }, (event) => void seen.push(event))
    assert.equal(seen.length, chat.frames.length - 2)
    assert.ok(!received.includes(chatUsage))
    assertTold(record, chat.told)
  })

  describe('onEvent replaces an event in every framing', () => {
    const shouted = (text: string) => text.toUpperCase().replace('SHIPS', 'SHIPS\n\n¡Olé! 🚢')
    const all = shouted(storyPieces.join(''))

    test('server-sent events', async (t) => {
      const { received } = await hooked(t, anthropic, ({ format, data }) => {
        if (format !== 'anthropic' || !data.delta?.text) return undefined
        return { data: { ...data, delta: { ...data.delta, text: shouted(data.delta.text) } } }
      })
      const expected = anthropic.frames.map((frame) => {
        const data = JSON.parse(/^data: (.*)$/m.exec(frame.toString())?.[1] ?? '')
        if (data.delta?.text) data.delta.text = shouted(data.delta.text)
        return sseEvent(data, data.type)
      })
      assert.equal(received.toString(), Buffer.concat(expected).toString())
    })

    test('server-sent events, with a new name', async (t) => {
      const { received } = await hooked(t, anthropic, ({ event }) =>
        event === 'content_block_stop' ? { event: 'ours\n\nevil', data: { type: 'ours' } } : undefined,
      )
      assert.match(received.toString(), /event: ours evil\ndata: \{"type":"ours"\}\n\n/)
    })

    /** Through an SDK, which would stumble over a frame that is none. */
    async function through(t: Owner, stream: WireStream, onEvent: OnEvent, read: (url: string) => Promise<string>) {
      const provider = await startProvider(t, { onCall: (call) => sendStream(call, stream, stream.frames).end() })
      const app = await startApp(t, { target: provider.url, endpoints: 'all', onEvent })
      assert.equal(await read(app.url), all)
      assertTold(await app.record(), stream.told)
    }

    test('NDJSON', (t) =>
      through(
        t,
        ollamaChat,
        ({ format, data }) => {
          if (format !== 'ollama-chat') return undefined
          return { data: { ...data, message: { ...data.message, content: shouted(String(data.message?.content)) } } }
        },
        async (host) => {
          const answer = await new Ollama({ host }).chat({ model: 'm', messages: [], stream: true })
          return (await collected(answer)).map(({ message }) => message.content).join('')
        },
      ))

    test('AWS event streams', (t) =>
      through(
        t,
        converse,
        ({ format, data }) => {
          if (format !== 'bedrock-converse' || !data.delta?.text) return undefined
          return { data: { ...data, delta: { text: shouted(data.delta.text) } } }
        },
        (url) =>
          withBedrock(url, async (client) => {
            const { stream } = await client.send(new ConverseStreamCommand({ modelId: 'm', messages: [] }))
            return (await collected(stream!)).map((event) => event.contentBlockDelta?.delta?.text ?? '').join('')
          }),
      ))

    const loud: OnEvent = ({ format, data }) => {
      if (format !== 'gemini') return undefined
      const copy = structuredClone(data)
      for (const part of copy.candidates?.[0]?.content?.parts ?? []) part.text = shouted(String(part.text))
      return { data: copy }
    }

    test("Gemini's events", (t) =>
      through(t, geminiSse, loud, async (baseUrl) => {
        const client = new GoogleGenAI({ apiKey: 'k', httpOptions: { baseUrl } })
        const answer = await client.models.generateContentStream({ model: 'm', contents: 'Hi' })
        return (await collected(answer)).map(({ candidates }) => candidates?.[0]?.content?.parts?.[0]?.text).join('')
      }))

    test('JSON arrays', (t) =>
      through(t, geminiArray, loud, async (url) => {
        const response = await post(url + geminiArray.path, geminiArray.request)
        const answers = JSON.parse(await response.text()) as Answer[]
        return answers.map(({ candidates }) => candidates[0]?.content.parts[0]?.text).join('')
      }))
  })

  for (const stream of [chat, anthropic, ollamaChat, converse]) {
    test(`${stream.name}: an exception ends the stream with an error, after the events that have passed`, async (t) => {
      const provider = await startProvider(t)
      const onEvent: OnEvent = (event) => {
        if (hasText(event)) throw new Error('secret')
      }
      const app = await startApp(t, { target: provider.url, onEvent })
      const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
      const begins = stream.frames.findIndex((frame) => frame.includes('Once there was'))
      // All that comes in one piece, so that one turn has the good events and the bad.
      const call = sendStream(await provider.next(), stream, [Buffer.concat(stream.frames)])
      await client.sees('internal_error')
      assert.ok(client.text.includes(latin1(Buffer.concat(stream.frames.slice(0, begins)))), 'what had passed is lost')
      assert.ok(!client.text.includes('Once there was') && !client.text.includes('secret'))
      assertTold(await app.record(), { outcome: 'rejected', code: 'internal_error', status: 200 })
      await call.gone
    })
  }

  for (const [what, returned] of [
    ['a string', 'no event'],
    ['an object without data', { event: 'x' }],
    ['data that is not JSON', { data: undefined }],
    ['data that is a function', { data: () => {} }],
    ['a promise', Promise.resolve(null)],
  ] satisfies [string, unknown][]) {
    test(`${what} is not a valid event: the stream ends with an error, and no part of it goes out`, async (t) => {
      const { received, record } = await hooked(t, chat, (() => returned) as unknown as OnEvent)
      assert.match(received.toString(), /internal_error/)
      assert.ok(!received.includes('undefined'))
      assert.equal(record.code, 'internal_error')
    })
  }

  test('comments and events that are not JSON bypass onEvent', async (t) => {
    const others = ': heartbeat\n\nretry: 5\n\ndata: no JSON\n\n'
    const seen: Event[] = []
    const chunks = [Buffer.from(others), ...chat.frames]
    const { received } = await hooked(t, chat, (event) => void seen.push(event), { chunks })
    assert.ok(received.toString().startsWith(others))
    assert.equal(seen.length, chat.frames.length - 1)
  })
})
