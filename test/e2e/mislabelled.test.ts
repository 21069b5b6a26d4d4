import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AiProxyOptions, OnAnswer, OnResponse } from '../../lib/index.js'
import { startApp } from './support/app.js'
import { connect, post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { streams } from './support/streams.js'

const SSE = 'text/event-stream'
const { chat, responses, anthropic, converse, ollamaChat } = streams
const chatRequest = { path: '/v1/chat/completions', request: { model: 'm', messages: [] } }

/** Sends a request to a provider that answers it with these bytes under this label. */
async function answered(
  t: Owner,
  { path, request }: { readonly path: string; readonly request: object },
  type: string,
  pieces: readonly (string | Buffer)[],
  options: Partial<AiProxyOptions> = {},
) {
  const provider = await startProvider(t, {
    onCall: ({ res }) => {
      res.writeHead(200, { 'content-type': type })
      for (const piece of pieces) res.write(piece)
      res.end()
    },
  })
  const app = await startApp(t, { target: provider.url, ...options })
  const response = await post(app.url + path, request)
  return { type: response.headers.get('content-type'), text: await response.text(), record: await app.record() }
}

describe('a whole JSON answer labelled as a stream', () => {
  const answer = {
    id: 'a',
    choices: [{ index: 0, message: { content: 'Hello' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
  }
  const printed = JSON.stringify(answer, null, 2)
  for (const [label, text] of [
    [SSE, JSON.stringify(answer)],
    [`${SSE}; charset=utf-8`, printed],
    [SSE, `\n${printed}\n`],
    ['application/x-ndjson', printed],
  ] as const) {
    test(`passes as JSON, and is read: ${label}, ${JSON.stringify(text.slice(0, 3))}`, async (t) => {
      const { type, text: received, record } = await answered(t, chatRequest, label, [text])
      assert.match(type ?? '', /^application\/json/)
      assert.equal(received, text)
      assert.deepEqual([record.outcome, record.finishReason, record.usage?.outputTokens], ['completed', 'stop', 7])
    })
  }

  for (const text of [JSON.stringify(answer), `${printed}\n\n`]) {
    test(`also where a stream was asked for: ${JSON.stringify(text.slice(0, 3))}`, async (t) => {
      const { text: received, record } = await answered(t, chat, SSE, [text])
      assert.equal(received.trimEnd(), text.trimEnd())
      assert.deepEqual([record.outcome, record.finishReason, record.usage?.outputTokens], ['completed', 'stop', 7])
    })
  }

  test('unless it is cut, or none of the format', async (t) => {
    for (const text of [printed.slice(0, -2), '{"status":"ok"}', '{"status":"ok"}\n\n']) {
      const { record } = await answered(t, chat, SSE, [text])
      assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
    }
  })

  test('reaches onAnswer', async (t) => {
    const onAnswer: OnAnswer = ({ body }) => ({ body: { ...(body as object), seen: true } })
    const { type, text } = await answered(t, chatRequest, SSE, [JSON.stringify(answer)], { onAnswer })
    assert.match(type ?? '', /^application\/json/)
    assert.equal((JSON.parse(text) as { seen?: boolean }).seen, true)
  })

  test('may report an error', async (t) => {
    const { record } = await answered(t, chatRequest, SSE, ['{"error":{"message":"No capacity"}}'])
    assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
    assert.match(record.error ?? '', /No capacity/)
  })

  test('keeps a label that the app gives it', async (t) => {
    const onResponse: OnResponse = (response) => {
      response.headers['content-type'] = 'application/vnd.app+json'
    }
    const { type } = await answered(t, chatRequest, SSE, [JSON.stringify(answer)], { onResponse })
    assert.equal(type, 'application/vnd.app+json')
  })
})

test('lines of JSON labelled as events pass as lines, if the client reads lines', async (t) => {
  const lines = [
    '{"model":"m","message":{"content":"Hi"},"done":false}\n',
    '{"model":"m","done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":7}\n',
  ]
  const { type, text, record } = await answered(t, ollamaChat, SSE, lines)
  assert.match(type ?? '', /^application\/x-ndjson/)
  assert.equal(text, lines.join(''))
  assert.deepEqual([record.outcome, record.finishReason, record.usage?.outputTokens], ['completed', 'stop', 7])
})

test('an event stream that was not asked for passes as one, and its head does not wait for the first event', async (t) => {
  const provider = await startProvider(t)
  const app = await startApp(t, { target: provider.url, endpoints: ['GET events'] })
  const client = await connect(t, app.port)
  client.request('GET', '/ai/v1/events')
  const call = await provider.next()
  call.res.writeHead(200, { 'content-type': SSE }).flushHeaders()
  await client.sees('content-type: text/event-stream')
  call.res.end('data: 1\n\n')
  await client.sees('data: 1\n\n')
  assert.equal((await app.record()).outcome, 'completed')
})

describe('events without blank lines between them', () => {
  const piece = (choice: object, others: object = {}) =>
    `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: {}, finish_reason: null, ...choice }], ...others })}\n`
  const text = [piece({ delta: { content: 'Hel' } }), piece({ delta: { content: 'lo' } })]
  const stop = piece({ finish_reason: 'stop' })
  const usage = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}\n'
  const done = 'data: [DONE]\n'

  test('pass and are read', async (t) => {
    const { text: received, record } = await answered(t, chat, SSE, [...text, stop, usage, done])
    assert.equal(received, [...text, stop, usage, done].join(''))
    assert.deepEqual([record.outcome, record.finishReason, record.usage?.outputTokens], ['completed', 'stop', 7])
  })

  test('are hidden if the client did not ask for them', async (t) => {
    const { text: received, record } = await answered(
      t,
      { path: chat.path, request: { model: 'm', stream: true, messages: [] } },
      SSE,
      [...text, stop, usage, done],
    )
    assert.equal(received, [...text, stop, done].join(''))
    assert.equal(record.usage?.outputTokens, 7)
  })

  for (const [what, pieces] of [
    ['without an end', text],
    ['cut in a line', [...text, text[0]!, stop.slice(0, 20)]],
  ] as const) {
    test(`may be truncated: ${what}`, async (t) => {
      const { record } = await answered(t, chat, SSE, pieces)
      assert.equal(record.code, 'upstream_truncated')
    })
  }

  test('may be only two, the last without a line end', async (t) => {
    const { text: received, record } = await answered(t, chat, SSE, [stop + done.trimEnd()])
    assert.equal(received, `${stop}${done}\n`)
    assert.deepEqual([record.outcome, record.finishReason], ['completed', 'stop'])
  })
})

describe('a whole JSON answer that is not labelled as JSON', () => {
  const answers = [
    [chat, { id: 'a', choices: [{ index: 0, message: { content: 'Hi' }, finish_reason: 'stop' }] }, 'stop'],
    [
      anthropic,
      { id: 'a', type: 'message', content: [{ type: 'text', text: 'Hi' }], stop_reason: 'end_turn' },
      'end_turn',
    ],
    [responses, { id: 'a', object: 'response', status: 'completed', output: [] }, 'completed'],
  ] as const
  for (const [{ name, path, request }, answer, finishReason] of answers) {
    for (const label of ['application/x-ndjson', 'application/octet-stream', 'text/html', 'text/javascript']) {
      for (const stream of [true, false]) {
        test(`is read: ${name}, ${label}, ${stream ? 'a stream was asked for' : 'no stream'}`, async (t) => {
          const body = JSON.stringify(answer)
          const { text, record } = await answered(t, { path, request: { ...request, stream } }, label, [body])
          assert.equal(text.trimEnd(), body)
          assert.deepEqual([record.outcome, record.finishReason], ['completed', finishReason])
        })
      }
    }

    test(`is read in the only event of a stream: ${name}`, async (t) => {
      const event = `data: ${JSON.stringify(answer)}\n\n`
      const { text, record } = await answered(t, { path, request }, SSE, [event])
      assert.equal(text, event)
      assert.deepEqual([record.outcome, record.finishReason], ['completed', finishReason])
    })
  }

  test('is only that if nothing follows', async (t) => {
    const event = `data: ${JSON.stringify(answers[1][1])}\n\n`
    const { record } = await answered(t, anthropic, SSE, [event, 'event: ping\ndata: {"type":"ping"}\n\n'])
    assert.equal(record.code, 'upstream_truncated')
  })
})

describe('a stream whose label is none of its own', () => {
  for (const label of [SSE, 'application/octet-stream', 'application/x-ndjson', 'application/json']) {
    test(`AWS's is read: ${label}`, async (t) => {
      const { type, record } = await answered(t, converse, label, converse.frames)
      assert.equal(type, 'application/vnd.amazon.eventstream')
      assert.deepEqual([record.outcome, record.finishReason], ['completed', converse.told.finishReason])
    })
  }

  for (const label of [SSE, 'text/plain', 'application/json']) {
    test(`lines of a format that also has events are read: ${label}`, async (t) => {
      const lines = [
        { event_type: 'text-generation', text: 'Hi' },
        { event_type: 'stream-end', is_finished: true, finish_reason: 'COMPLETE' },
      ].map((each) => `${JSON.stringify(each)}\n`)
      const request = { path: '/v1/chat', request: { model: 'm', message: 'Hello', stream: true } }
      const { record } = await answered(t, request, label, lines)
      assert.deepEqual([record.outcome, record.finishReason], ['completed', 'COMPLETE'])
    })
  }
})

test('pieces of a chat in `message` count as those in `delta`', async (t) => {
  const piece = (content: string, finish_reason: string | null) =>
    `data: ${JSON.stringify({ id: 'a', choices: [{ index: 0, message: { content }, finish_reason }] })}\n\n`
  const { record } = await answered(t, chat, SSE, [piece('Once upon', null), piece(' a time', null), piece('', 'stop')])
  assert.deepEqual([record.outcome, record.usage], ['completed', { outputTokens: 4, estimated: true }])
  assert.notEqual(record.firstTokenMs, undefined)
})
