import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import type { AiProxyOptions } from '../../lib/index.js'
import { type App, startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { finished } from './support/finished-streams.js'
import { type Call, type Owner, startProvider } from './support/provider.js'
import { allStreams, beforeTheEnd, chatChunk, sseEvent, streams, type WireStream } from './support/streams.js'

/** Ways in which the body of a provider whose process has died ends well in HTTP. */
const delimited: Record<string, (call: Call, contentType: string, body: Buffer) => unknown> = {
  'the last chunk': (call, type, body) => call.res.writeHead(200, { 'content-type': type }).end(body),
  'a content-length': (call, type, body) =>
    call.res.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body),
  'the end of the connection': (call, type, body) => {
    call.socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n\r\n`)
    call.socket.end(body)
  },
}

interface Exchanged {
  readonly app: App
  /** The body, dechunked, as far as it came. */
  readonly body: Buffer
  /** HTTP says that this is all. */
  readonly isWhole: boolean
}

async function exchanged(
  t: Owner,
  { path, request }: Pick<WireStream, 'path' | 'request'>,
  act: (call: Call) => unknown,
  options: Partial<AiProxyOptions> = {},
): Promise<Exchanged> {
  const provider = await startProvider(t, { onCall: act })
  const app = await startApp(t, { target: provider.url, endpoints: 'all', ...options })
  const client = (await connect(t, app.port)).post(`/ai${path}`, request)
  const isWhole = await client.sees(/\r\n0\r\n\r\n/).then(
    () => true,
    () => false,
  )
  return { app, isWhole, body: dechunked(client.text) }
}

function dechunked(text: string): Buffer {
  let rest = Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
  const pieces: Buffer[] = []
  for (;;) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.toString('latin1', 0, Math.max(0, lineEnd)), 16)
    if (!size) return Buffer.concat(pieces)
    pieces.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    rest = rest.subarray(lineEnd + 4 + size)
  }
}

/** The code of the error that stands behind what has passed, in the client's protocol. */
function codeIn({ contentType }: WireStream, rest: Buffer): unknown {
  if (contentType.includes('amazon')) {
    const message = awsEventStream.read(rest)
    assert.equal(message?.isError, true)
    return JSON.parse(message!.data).code
  }
  const data = JSON.parse(/\{.*\}/.exec(rest.toString())![0])
  return data.code ?? data.error.details?.[0].metadata.code ?? data.error.code
}

const withoutHeartbeats = (body: Buffer) =>
  Buffer.from(body.toString('latin1').replaceAll(': heartbeat\n\n', ''), 'latin1')

describe('a stream that is complete in HTTP but not in its protocol ends with upstream_truncated', () => {
  for (const stream of allStreams) {
    const begun = beforeTheEnd(stream)
    const half = stream.frames[begun.length]!.subarray(0, 25)
    for (const [how, send] of Object.entries(delimited)) {
      for (const beforeFirstByte of [false, true]) {
        const early = beforeFirstByte ? ', opened early' : ''
        for (const [what, rest] of [
          ['between two events', Buffer.alloc(0)],
          ['in the middle of an event', half],
        ] as const) {
          test(`${stream.name}: ${what}, by ${how}${early}`, async (t) => {
            const sent = Buffer.concat([...begun, rest])
            const act = (call: Call) => send(call, stream.contentType, sent)
            const { app, body, isWhole } = await exchanged(t, stream, act, { heartbeat: { beforeFirstByte } })
            const record = await app.record()
            // In the middle of an event, a connection that ended may have broken.
            const code =
              how === 'the end of the connection' && record.code === 'upstream_reset'
                ? record.code
                : 'upstream_truncated'
            if (rest.length === 0 && stream !== streams.geminiArray) assert.equal(code, 'upstream_truncated')
            assert.deepEqual([record.outcome, record.code], ['upstream_error', code])
            assert.equal(record.usage?.estimated, true)
            const whole = Buffer.concat(begun)
            const got = withoutHeartbeats(body)
            if (stream === streams.geminiArray) {
              // A connection that is cut may take with it what was on its way.
              assert.deepEqual([isWhole, whole.toString('latin1').startsWith(got.toString('latin1'))], [false, true])
            } else {
              assert.equal(got.toString('latin1', 0, whole.length), whole.toString('latin1'))
              assert.equal(isWhole, true)
              assert.equal(codeIn(stream, got.subarray(whole.length)), code)
              assert.ok(!got.subarray(whole.length).includes(half), 'no half of an event goes out')
            }
          })
        }
      }
    }
  }
})

test('a finish reason next to the last text completes a stream, however many events follow', async (t) => {
  const texts = ['Once', ' upon', ' a', ' time'].map((content, at) =>
    chatChunk([{ index: 0, delta: { content }, finish_reason: at === 3 ? 'stop' : null }]),
  )
  const costs = Array(6).fill(sseEvent({ choices: [], cost: 1 }))
  const body = Buffer.from([...texts, ...costs].join(''))
  const { app } = await exchanged(t, streams.chat, (call) =>
    delimited['the last chunk']!(call, 'text/event-stream', body),
  )
  const record = await app.record()
  assert.deepEqual([record.outcome, record.finishReason], ['completed', 'stop'])
})

describe('each of two choices must have its finish reason, wherever that is among many events', () => {
  const text = (index: number) => chatChunk([{ index, delta: { content: 'word' }, finish_reason: null }])
  const end = (index: number) => chatChunk([{ index, delta: {}, finish_reason: 'stop' }])
  const both = Array.from({ length: 200 }, (_, at) => text(at % 2))
  const second = Array(200).fill(text(1))
  for (const [what, frames, code] of [
    ['both have', [...both, end(0), ...second, end(1)], undefined],
    ['the first has none', [...both, ...second, end(1)], 'upstream_truncated'],
    ['the second has none', [...both, end(0), ...second], 'upstream_truncated'],
  ] as const) {
    for (const isBurst of [true, false]) {
      test(`${what}${isBurst ? ', all at once' : ''}`, async (t) => {
        const { path, request } = streams.chat
        const { app } = await exchanged(t, { path, request: { ...request, n: 2 } }, ({ res }) => {
          res.writeHead(200, { 'content-type': 'text/event-stream' })
          for (const frame of isBurst ? [Buffer.concat(frames)] : frames) res.write(frame)
          res.end()
        })
        assert.equal((await app.record()).code, code)
      })
    }
  }
})

test('an event is not whole if a line after its data is cut', async (t) => {
  const chunk = chatChunk([{ index: 0, delta: { content: 'Once' }, finish_reason: 'stop' }])
    .toString()
    .trimEnd()
  for (const half of ['event: err', 'id: 12', 'retry: 1']) {
    const body = Buffer.from(`${chunk}\n${half}`)
    const act = (call: Call) => delimited['the last chunk']!(call, 'text/event-stream', body)
    const { app, body: received } = await exchanged(t, streams.chat, act)
    assert.equal((await app.record()).code, 'upstream_truncated')
    assert.doesNotMatch(received.toString(), /Once|event:|id:|retry:/)
  }
})

test('[DONE] does not complete a response that has no last event', async (t) => {
  const { responses } = streams
  const body = Buffer.concat([...beforeTheEnd(responses), Buffer.from('data: [DONE]\n\n')])
  const { app } = await exchanged(t, responses, (call) =>
    delimited['the last chunk']!(call, responses.contentType, body),
  )
  const record = await app.record()
  assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_truncated'])
})

describe('a finish reason completes a stream that breaks if', () => {
  const frames = [
    chatChunk([{ index: 0, delta: { content: 'a' }, finish_reason: null }]),
    chatChunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
  ]
  for (const [what, asked, code] of [
    ['one choice was asked for', {}, undefined],
    ['but not if two were', { n: 2 }, 'upstream_reset'],
    ['but not if three were, by a library of OpenAI', { extra_body: { n: 3 } }, 'upstream_reset'],
  ] as const) {
    test(what, async (t) => {
      const provider = await startProvider(t)
      const app = await startApp(t, { target: provider.url })
      const client = (await connect(t, app.port)).post(`/ai${streams.chat.path}`, { ...streams.chat.request, ...asked })
      const call = (await provider.next()).sse(frames.map(String))
      await client.sees('"stop"')
      call.reset()
      assert.equal((await app.record()).code, code)
    })
  }
})

describe('a finish reason or the last message completes a stream', () => {
  for (const [what, stream, frames] of finished) {
    for (const [how, send] of Object.entries(delimited)) {
      test(`${what}, by ${how}: completed, byte for byte`, async (t) => {
        const sent = Buffer.concat(frames)
        const { app, body, isWhole } = await exchanged(t, stream, (call) => send(call, stream.contentType, sent))
        assert.deepEqual([isWhole, body.toString()], [true, sent.toString()])
        const { outcome, code } = await app.record()
        assert.deepEqual([outcome, code], ['completed', undefined])
      })
    }
  }

  test('half an event after it is dropped, and the answer is complete', async (t) => {
    const frames = Buffer.concat(streams.chat.frames.slice(0, -2))
    const act = (call: Call) =>
      delimited['the last chunk']!(call, 'text/event-stream', Buffer.concat([frames, Buffer.from('data: [DO')]))
    const { app, body } = await exchanged(t, streams.chat, act)
    assert.equal(body.toString(), frames.toString())
    assert.equal((await app.record()).outcome, 'completed')
  })

  for (const data of ['data:', 'data: ', 'data: {', '']) {
    test(`the name of the last event with ${data === '' ? 'no data' : `"${data}" of its data`} does not complete a stream`, async (t) => {
      const begun = Buffer.concat(beforeTheEnd(streams.responses))
      const half = Buffer.from(`event: response.completed\n${data}`)
      const act = (call: Call) => delimited['the last chunk']!(call, 'text/event-stream', Buffer.concat([begun, half]))
      const { app, body } = await exchanged(t, streams.responses, act)
      assert.ok(!body.subarray(begun.length).includes('response.completed'), body.subarray(begun.length).toString())
      assert.equal((await app.record()).code, 'upstream_truncated')
    })
  }

  for (const none of ['', ' ', 'null', 'None']) {
    const stop = { type: 'message_delta', delta: { stop_reason: none }, usage: { output_tokens: 2 } }
    const ends: [WireStream, Buffer][] = [
      [streams.chat, chatChunk([{ index: 0, delta: {}, finish_reason: none }])],
      [streams.completions, sseEvent({ choices: [{ index: 0, text: '', finish_reason: none }] })],
      [streams.anthropic, sseEvent(stop, stop.type)],
      [streams.geminiSse, sseEvent({ candidates: [{ index: 0, finishReason: none }] })],
      [streams.ollamaChat, Buffer.from(`${JSON.stringify({ model: 'm', done: false, done_reason: none })}\n`)],
    ]
    for (const [stream, end] of ends) {
      test(`${JSON.stringify(none)} is no finish reason: ${stream.name}`, async (t) => {
        const body = Buffer.concat([...beforeTheEnd(stream), end])
        const act = (call: Call) => delimited['the last chunk']!(call, stream.contentType, body)
        const { app } = await exchanged(t, stream, act)
        const { code, finishReason } = await app.record()
        assert.deepEqual([code, finishReason], ['upstream_truncated', undefined])
      })
    }
  }
})

describe('an array that is closed without a finish reason is truncated', () => {
  for (const [how, send] of Object.entries(delimited)) {
    for (const [what, frames] of [
      ['after some answers', [...beforeTheEnd(streams.geminiArray), Buffer.from('\n]')]],
      ['at once', [Buffer.from('[]')]],
    ] as const) {
      test(`${what}, by ${how}`, async (t) => {
        const { geminiArray } = streams
        const act = (call: Call) => send(call, geminiArray.contentType, Buffer.concat(frames))
        const { app, isWhole } = await exchanged(t, geminiArray, act)
        const { outcome, code } = await app.record()
        assert.deepEqual([outcome, code, isWhole], ['upstream_error', 'upstream_truncated', false])
      })
    }
  }

  test('with the connection broken after it', async (t) => {
    const { geminiArray } = streams
    const act = ({ res, socket }: Call) => {
      const sent = Buffer.concat([...beforeTheEnd(geminiArray), Buffer.from('\n]')])
      res.writeHead(200, { 'content-type': geminiArray.contentType }).write(sent, () => socket.end())
    }
    const { app, isWhole } = await exchanged(t, geminiArray, act)
    const { outcome, code } = await app.record()
    assert.deepEqual([outcome, code, isWhole], ['upstream_error', 'upstream_reset', false])
  })
})

test('an array that does not even begin is an error in its place', async (t) => {
  const { geminiArray } = streams
  const act = ({ socket }: Call) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${geminiArray.contentType}\r\ncontent-length: 0\r\n\r\n`)
  const provider = await startProvider(t, { onCall: act })
  const app = await startApp(t, { target: provider.url })
  const response = await post(app.url + geminiArray.path, geminiArray.request)
  const { error } = (await response.json()) as { error: { details: { metadata: { code: string } }[] } }
  assert.deepEqual([response.status, error.details[0]?.metadata.code], [502, 'upstream_truncated'])
  assert.equal((await app.record()).code, 'upstream_truncated')
})

const choice = (index: number, content: string, finish_reason: string | null = null) =>
  chatChunk([{ index, delta: { content }, finish_reason }])
const texts = (index: number, count: number) => Array.from({ length: count }, (_, n) => choice(index, ` word ${n}`))
const candidate = (index: number, finishReason?: string) =>
  sseEvent({ candidates: [{ index, content: { parts: [{ text: ' word' }] }, ...(finishReason && { finishReason }) }] })

const several: [what: string, stream: WireStream, frames: Buffer[], isComplete: boolean][] = [
  [
    'the first ends, the other does not',
    streams.chat,
    [...texts(0, 3), ...texts(1, 3), choice(0, '', 'stop'), ...texts(1, 20)],
    false,
  ],
  [
    'the other ends, the first does not',
    streams.chat,
    [...texts(0, 3), ...texts(1, 3), choice(1, '', 'stop'), ...texts(0, 20)],
    false,
  ],
  [
    'both end, one long before',
    streams.chat,
    [...texts(1, 1), ...texts(0, 1), choice(0, '', 'stop'), ...texts(1, 20), choice(1, '', 'length')],
    true,
  ],
  [
    'one after the other',
    streams.chat,
    [...texts(0, 20), choice(0, '', 'stop'), ...texts(1, 20), choice(1, '', 'stop')],
    true,
  ],
  [
    'Gemini: one candidate does not end',
    streams.geminiSse,
    [candidate(0), candidate(1), candidate(1, 'STOP'), candidate(0)],
    false,
  ],
  [
    'Gemini: both candidates end',
    streams.geminiSse,
    [candidate(0), candidate(1), candidate(1, 'STOP'), candidate(0, 'STOP')],
    true,
  ],
]

describe('each of several choices has to end', () => {
  for (const [what, stream, frames, isComplete] of several) {
    for (const [how, chunks] of [
      ['one event per chunk', frames],
      ['all at once', [Buffer.concat(frames)]],
    ] as const) {
      test(`${what}, ${how}: ${isComplete ? 'complete' : 'truncated'}`, async (t) => {
        const { app } = await exchanged(t, stream, (call) => {
          call.res.writeHead(200, { 'content-type': stream.contentType })
          for (const chunk of chunks) call.send(chunk)
          call.end()
        })
        assert.equal((await app.record()).code, isComplete ? undefined : 'upstream_truncated')
      })
    }
  }
})

describe('streams of an unknown protocol need no terminator', () => {
  const unknown = { path: '/v1/generate', request: { stream: true } }
  for (const [what, body] of [
    ['nothing', ''],
    ['a text', 'data: Once there\n\ndata: was\n\n'],
    ['objects of an unknown kind', 'data: {"token":"Once"}\n\n'],
    [
      'choices without indexes and finish reasons',
      'data: {"choices":[{"delta":{"type":"text","content":"Once"}}],"usage":{}}\n\n',
    ],
  ] as const) {
    test(`${what}: completed`, async (t) => {
      const { app, isWhole } = await exchanged(t, unknown, (call) => call.sse().end(body))
      assert.deepEqual([isWhole, (await app.record()).outcome], [true, 'completed'])
    })
  }

  test('half an event is truncated nevertheless', async (t) => {
    const { app, body } = await exchanged(t, unknown, (call) => call.sse().end('data: Once there\n\ndata: wa'))
    assert.match(body.toString(), /^data: Once there\n\ndata: \{"error":.*upstream_truncated/)
    assert.equal((await app.record()).code, 'upstream_truncated')
  })

  const media = { path: '/v1/images/generations', request: { stream: true } }
  for (const [type, isEnd] of [
    ['image_generation.partial_image', false],
    ['image_generation.completed', true],
    ['transcript.text.delta', false],
    ['transcript.text.done', true],
    ['speech.audio.delta', false],
    ['speech.audio.done', true],
  ] as const) {
    test(`${type}: ${isEnd ? 'an end' : 'no end'}`, async (t) => {
      const { app } = await exchanged(t, media, (call) => call.sse().end(sseEvent({ type, b64_json: 'aa' }, type)))
      assert.equal((await app.record()).code, isEnd ? undefined : 'upstream_truncated')
    })
  }

  test('if the path determines the protocol, an empty stream is truncated', async (t) => {
    const { app, body } = await exchanged(t, streams.chat, (call) => call.sse([': hello\n\n']).end())
    assert.match(body.toString(), /^: hello\n\ndata: \{"error":.*upstream_truncated/)
    assert.equal((await app.record()).code, 'upstream_truncated')
  })
})

describe('a truncated JSON answer', () => {
  const cut = Buffer.from('{"id":"c","choices":[{"message":{"content":"Once there')
  const large = Buffer.concat([cut, Buffer.alloc(300_000, 'x')])
  const type = 'application/json'
  const request = { model: 'm' }

  for (const stream of allStreams) {
    for (const [how, send] of Object.entries(delimited)) {
      test(`${stream.name}, none of it sent, by ${how}: 502, or the connection is cut`, async (t) => {
        const provider = await startProvider(t, { onCall: (call) => send(call, type, cut) })
        const app = await startApp(t, { target: provider.url, endpoints: 'all' })
        const path = stream.path.replace(/\?.*/, '').replace(/-?(?:with-response-)?stream/, '')
        const client = (await connect(t, app.port)).post(`/ai${path}`, { ...request, stream: false })
        await client.sees(/\r\n\r\n/).catch(() => {})
        const record = await app.record()
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_truncated'])
        if (record.status === 502) await client.sees('upstream_truncated')
      })
    }
  }

  test('partly sent: the connection is cut', async (t) => {
    const { app, isWhole } = await exchanged(t, { path: '/v1/chat/completions', request }, (call) => {
      call.res.writeHead(200, { 'content-type': type }).write(large)
      call.req.socket.once('drain', () => {})
      setImmediate(() => call.end('y'))
    })
    assert.equal(isWhole, false)
    assert.equal((await app.record()).code, 'upstream_truncated')
  })

  for (const body of [cut, large]) {
    test(`of ${body.length} bytes after heartbeats: an error event, and none of the answer`, async (t) => {
      const act = (call: Call) => call.res.writeHead(200, { 'content-type': type }).end(body)
      const got = await exchanged(t, streams.chat, act, { heartbeat: { beforeFirstByte: true } })
      assert.match(withoutHeartbeats(got.body).toString(), /^data: \{"error":.*upstream_truncated.*\n\n$/)
      assert.equal((await got.app.record()).code, 'upstream_truncated')
    })
  }
})
