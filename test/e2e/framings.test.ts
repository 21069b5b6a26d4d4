import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConverseStreamCommand, InvokeModelWithResponseStreamCommand } from '@aws-sdk/client-bedrock-runtime'
import { Ollama } from 'ollama'
import type { AiProxyOptions } from '../../lib/index.js'
import { awsEvent } from '../framing/bodies.js'
import { cutAt, piecesOf } from '../support/bytes.js'
import { collected } from './support/aimock.js'
import { type App, startApp } from './support/app.js'
import { withBedrock } from './support/aws.js'
import { connect, type RawClient } from './support/client.js'
import { inPhase } from './support/disconnect.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { allStreams, assertTold, line, sendStream, streams, type WireStream } from './support/streams.js'

const { converse, invoke, ollamaChat, ollamaGenerate, geminiArray } = streams
const framings = [converse, invoke, ollamaChat, ollamaGenerate, geminiArray]

interface Started {
  readonly app: App
  readonly client: RawClient
  readonly call: Call
}

/** A stream has been asked for by a client on a bare socket, and the provider has got the request. */
async function asked(t: Owner, stream: WireStream, options: Partial<AiProxyOptions> = {}): Promise<Started> {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, endpoints: 'all', ...options })
  const client = (await connect(t, app.port)).post(`/ai${stream.path}`, stream.request)
  return { app, client, call: await provider.next() }
}

const latin1 = (bytes: Buffer) => bytes.toString('latin1')

describe('bytes pass unchanged, however they are split into chunks', () => {
  for (const stream of allStreams) {
    const body = Buffer.concat(stream.frames)
    for (const [what, chunks] of [
      ['one frame per chunk', stream.frames],
      ['one byte per chunk', piecesOf(body, 1)],
      ['all at once', [body]],
      ['in the middle of each frame', cutAt(body, middles(stream.frames))],
    ] as const) {
      test(`${stream.name}: ${what}`, async (t) => {
        const provider = await startProvider(t, { onCall: (call) => sendStream(call, stream, chunks).end() })
        const app = await startApp(t, { target: provider.url, endpoints: 'all' })
        const response = await fetch(app.url + stream.path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(stream.request),
        })
        assert.equal(response.headers.get('content-type'), stream.contentType)
        assert.match(response.headers.get('cache-control') ?? '', /no-transform/)
        assert.equal(latin1(Buffer.from(await response.arrayBuffer())), latin1(body))
        const events = stream === geminiArray ? stream.frames.length - 1 : stream.frames.length
        assertTold(await app.record(), { ...stream.told, outcome: 'completed', events, downstreamBytes: body.length })
      })
    }
  }
})

function middles(frames: readonly Buffer[]): number[] {
  let end = 0
  return frames.map((frame) => {
    end += frame.length
    return end - Math.floor(frame.length / 2)
  })
}

describe('only whole frames go out', () => {
  for (const stream of framings) {
    test(`${stream.name}: half a frame waits for the rest, the frames before it do not`, async (t) => {
      const { client, call } = await asked(t, stream)
      const [first, second] = stream.frames as [Buffer, Buffer]
      const half = second.length - 5
      sendStream(call, stream, [Buffer.concat([first, second.subarray(0, half)])])
      await client.sees(latin1(first))
      assert.ok(!client.text.includes(latin1(second.subarray(0, half))))
      call.send(second.subarray(half))
      await client.sees(latin1(second))
      call.end()
    })
  }
})

const breaks = [
  { what: 'the provider breaks off', code: 'upstream_reset', limits: {}, act: (call: Call) => call.reset() },
  { what: 'a limit is hit', code: 'idle_timeout', limits: { idleTimeoutMs: 30 }, act: () => {} },
] as const

/** Begins a stream, and ends it in the middle of its third frame. */
async function broken(t: Owner, stream: WireStream, { limits, act }: (typeof breaks)[number]): Promise<Started> {
  const started = await asked(t, stream, { limits })
  const [first, second, third] = stream.frames as [Buffer, Buffer, Buffer]
  sendStream(started.call, stream, [first, second])
  await started.client.sees(latin1(second))
  started.call.res.write(third.subarray(0, third.length - 5), () => act(started.call))
  return started
}

describe('a failure within a stream is reported in its framing', () => {
  for (const way of breaks) {
    for (const stream of [ollamaChat, ollamaGenerate]) {
      test(`${stream.name}: ${way.what}: the client gets a line with the error`, async (t) => {
        const { app, client, call } = await broken(t, stream, way)
        const said = await client.sees(/\{"error":"[^\n]+\n\r\n0\r\n\r\n/)
        const { error, code } = JSON.parse(/\{"error".*\}/.exec(said)?.[0] ?? '') as Record<string, unknown>
        assert.equal(code, way.code)
        assert.equal(typeof error, 'string')
        assert.ok(!client.text.includes('keeper'), 'no half of a line went out')
        assertTold(await app.record(), { code: way.code, status: 200, events: 2 })
        await call.gone
      })
    }

    test(`${geminiArray.name}: ${way.what}: the connection is cut`, async (t) => {
      const { app, client, call } = await broken(t, geminiArray, way)
      const all = await client.end()
      assert.ok(!all.endsWith('0\r\n\r\n'), 'no client can take it for whole')
      assert.ok(!all.includes('keeper'))
      assertTold(await app.record(), { code: way.code, status: 200, events: 2 })
      await call.gone
    })
  }

  test("Ollama's SDK throws the error", async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, limits: { idleTimeoutMs: 30 } })
    const chatting = (async () => {
      const stream = await new Ollama({ host: app.url }).chat({ model: 'm', messages: [], stream: true })
      return collected(stream)
    })()
    sendStream(await provider.next(), ollamaChat, ollamaChat.frames.slice(0, 2))
    await assert.rejects(chatting, /fell silent/)
  })

  const commands = {
    converse: (client: Parameters<Parameters<typeof withBedrock>[1]>[0]) =>
      client.send(new ConverseStreamCommand({ modelId: 'm', messages: [] })).then(({ stream }) => stream!),
    invoke: (client: Parameters<Parameters<typeof withBedrock>[1]>[0]) =>
      client
        .send(new InvokeModelWithResponseStreamCommand({ modelId: 'm', body: '{}', contentType: 'application/json' }))
        .then(({ body }) => body!),
  }
  for (const way of breaks) {
    for (const [name, run] of Object.entries(commands)) {
      test(`AWS's SDK throws the error in ${name}, if ${way.what}`, async (t) => {
        const stream = streams[name as keyof typeof commands]
        const provider = await startProvider(t)
        const app = await startApp(t, { target: provider.url, endpoints: 'all', limits: way.limits })
        const seen: unknown[] = []
        const reading = withBedrock(app.url, async (client) => {
          for await (const event of await run(client)) {
            seen.push(event)
            if (seen.length === 2) call.res.write(stream.frames[2]!.subarray(0, 20), () => way.act(call))
          }
        })
        const call = sendStream(await provider.next(), stream, stream.frames.slice(0, 2))
        await assert.rejects(reading, (error: Error) => {
          assert.equal(error.name, 'InternalServerException')
          assert.match(error.message, way.code === 'idle_timeout' ? /fell silent/ : /broke off/)
          return true
        })
        assert.equal(seen.length, 2)
        assertTold(await app.record(), { code: way.code, status: 200, events: 2 })
      })
    }
  }
})

describe('damaged AWS event streams', () => {
  const [first, second] = converse.frames as [Buffer, Buffer]
  const flipped = (bytes: Buffer, at: number) => {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 1
    return copy
  }
  for (const [what, damaged] of [
    ['in its last checksum', flipped(second, second.length - 1)],
    ['in its payload', flipped(second, second.length - 8)],
    ['in a header', flipped(second, 20)],
    ['in its length', flipped(second, 3)],
    ['in the checksum of its length', flipped(second, 9)],
  ] as const) {
    test(`a message damaged ${what} ends the stream: upstream_error`, async (t) => {
      const { app, client, call } = await asked(t, converse)
      sendStream(call, converse, [first, damaged, second])
      await client.sees(latin1(first))
      await client.sees('internalServerException')
      const record = await app.record()
      assertTold(record, { outcome: 'upstream_error', code: 'upstream_reset', events: 1 })
      assert.match(record.error ?? '', /AWS event stream/)
      assert.ok(!client.text.includes('Once there'))
      await call.gone
    })
  }

  test('a stream that ends within a message is truncated', async (t) => {
    const { app, client, call } = await asked(t, converse)
    sendStream(call, converse, [first, second.subarray(0, 30)]).end()
    await client.sees('internalServerException')
    assertTold(await app.record(), { outcome: 'upstream_error', events: 1 })
  })
})

describe('limits', () => {
  const large = 'x'.repeat(2000)
  const tooLarge: [WireStream, Buffer][] = [
    [ollamaChat, line({ message: { content: large }, done: false })],
    [converse, awsEvent(JSON.stringify({ delta: { text: large } }))],
    [geminiArray, Buffer.from(`,{"text":"${large}"}`)],
  ]
  for (const [stream, frame] of tooLarge) {
    for (const [what, bytes] of [
      ['whole', frame],
      ['unfinished', frame.subarray(0, 1900)],
    ] as const) {
      test(`${stream.name}: a frame beyond maxEventBytes, ${what}, ends the stream`, async (t) => {
        const { app, client, call } = await asked(t, stream, { limits: { maxEventBytes: 1000 } })
        sendStream(call, stream, [stream.frames[0]!])
        await client.sees(latin1(stream.frames[0]!))
        call.send(bytes)
        if (stream === geminiArray) await client.end()
        else await client.sees('event_too_large')
        assert.ok(!client.text.includes('xxx'))
        assertTold(await app.record(), { outcome: 'limit_exceeded', limit: 'maxEventBytes', events: 1 })
        await call.gone
      })
    }
  }

  for (const stream of framings) {
    test(`${stream.name}: a client that does not read applies backpressure to the provider`, async (t) => {
      const { app, client, call } = await asked(t, stream)
      client.pause()
      sendStream(call, stream, [stream.frames[0]!])
      void call.flood(Buffer.concat(Array(2000).fill(stream.frames[1])))
      await inPhase(app, 'stalled')
      client.socket.resume()
      await client.sees(latin1(stream.frames[1]!).repeat(2))
      client.leave()
      await call.gone
      assertTold(await app.record(), { outcome: 'client_disconnect', status: 200 })
    })

    test(`${stream.name}: a client that leaves stops the provider at once`, async (t) => {
      const { app, client, call } = await asked(t, stream)
      sendStream(call, stream, stream.frames.slice(0, 1))
      await client.sees(latin1(stream.frames[0]!))
      client.leave()
      await call.gone
      assertTold(await app.record(), { outcome: 'client_disconnect', events: 1 })
    })

    test(`${stream.name}: no heartbeats are sent, because its readers could not skip them`, async (t) => {
      const options = { heartbeat: { everyMs: 5, beforeFirstByte: true }, limits: { idleTimeoutMs: 60 } }
      const { app, client, call } = await asked(t, stream, options)
      sendStream(call, stream, stream.frames.slice(0, 2))
      const record = await app.record()
      assert.equal(record.code, 'idle_timeout')
      assert.ok(!client.text.includes('heartbeat'), client.text)
      assert.match(client.text, /content-type: application\/(?:x-ndjson|json|vnd)/i)
    })
  }
})
