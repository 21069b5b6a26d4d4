import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { post } from './support/client.js'
import { type Owner, startProvider } from './support/provider.js'
import { streams, type WireStream } from './support/streams.js'
import { ANSWER, answer, startPair } from './support/targets.js'

const { chat, completions, responses, anthropic, geminiSse, cohere, ollamaChat, llamaCpp } = streams
const SSE = 'text/event-stream'
const JSON_TYPE = 'application/json'
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`

async function answered(
  t: Owner,
  { path, request }: Pick<WireStream, 'path' | 'request'>,
  type: string,
  body: string,
  beforeFirstByte = false,
) {
  const act = {
    onCall: ({ res }: { res: import('node:http').ServerResponse }) =>
      res.writeHead(200, { 'content-type': type }).end(body),
  }
  const provider = await startProvider(t, act)
  const app = await startApp(t, { target: provider.url, endpoints: 'all', heartbeat: { beforeFirstByte } })
  const response = await post(app.url + path, request)
  const received = (await response.text()).replaceAll(': heartbeat\n\n', '')
  return { received, status: response.status, record: await app.record() }
}

/** What stands alone in a stream, and what of it the record repeats. */
const events: [what: string, event: string, said: RegExp][] = [
  [
    'an event named error, with a code',
    'event: error\ndata: {"code":"Throttled","message":"too fast"}\n\n',
    /too fast/,
  ],
  ['an event named error, with a detail', 'event: error\ndata: {"detail":"no capacity"}\n\n', /no capacity/],
  ['an event named error, with a text', 'event: error\ndata: lost the worker\n\n', /lost the worker/],
  ['an event named error, with a JSON string', 'event: error\ndata: "gone"\n\n', /gone/],
  ['an event named error, with an empty object', 'event: error\ndata: {}\n\n', /failed/],
  ['a code and a message', data({ code: 'ContentRefused', message: 'not this' }), /not this/],
  ['a numeric code and a msg', data({ code: 1302, msg: 'rate' }), /rate/],
  ['an error code and an error message', data({ error_code: 336, error_msg: 'quota' }), /quota/],
  [
    'no choices, and a base_resp',
    data({ choices: null, base_resp: { status_code: 1013, status_msg: 'inner' } }),
    /inner/,
  ],
  ['a list of errors', data({ errors: [{ message: 'first', code: 1 }] }), /first/],
  ['a list of sentences', data({ errors: ['first'] }), /first/],
  ['the name of a status', 'data: Forbidden\n\n', /Forbidden/],
  ['an error code alone', data({ error_no: 7 }), /failed/],
  ['the type error', data({ type: 'error', message: 'typed' }), /typed/],
  ['the object error', data({ object: 'error', message: 'object' }), /object/],
  ['a detail', data({ detail: 'not authenticated' }), /not authenticated/],
  ['details of FastAPI', data({ detail: [{ loc: ['body'], msg: 'field required' }] }), /field required/],
  ['a detail that has an error', data({ detail: { error: 'no worker' } }), /no worker/],
  ['a code and a message, with capitals', data({ Code: 'Throttling', Message: 'capital' }), /capital/],
  ['an exception of AWS', data({ __type: 'ThrottlingException', message: 'exception' }), /exception/],
  ['a status and a message', data({ status: 'error', message: 'worker' }), /worker/],
  [
    'what stands in the metadata of a response',
    data({ ResponseMetadata: { RequestId: 'r', Error: { Code: 'Limit', Message: 'enclosed' } } }),
    /enclosed/,
  ],
  ['an error in a response', data({ Response: { RequestId: 'r', Error: { Code: 'Auth', Message: 'key' } } }), /key/],
  ['an error with a capital', data({ Error: { Code: 'Busy', Message: 'later' } }), /later/],
  ['a fault', data({ fault: { faultstring: 'too many', detail: { errorcode: 'Quota' } } }), /too many/],
  ['an exception of AWS Lambda', data({ errorType: 'Timeout', errorMessage: 'timed out', trace: ['a.js'] }), /timed/],
  ['a path that AWS does not know', data({ Output: { __type: 'a#UnknownOperation' }, Version: '1.0' }), /Unknown/],
  ['an errcode and an errmsg', data({ errcode: 40001, errmsg: 'token' }), /token/],
  ['errors that are a sentence', data({ errors: 'invalid model' }), /invalid model/],
  ['errors by field', data({ title: 'Invalid', status: 400, errors: { model: ['is unknown'] } }), /failed/],
  ['a detail that has an error with a message', data({ detail: { error: { message: 'deep' } } }), /deep/],
  ['a sentence', 'data: Error: the worker is gone\n\n', /the worker is gone/],
  ['a sentence in brackets', 'data: [ERROR] no capacity\n\n', /no capacity/],
  ['an exception by its name', 'data: openai.RateLimitError: slow down\n\n', /slow down/],
  ['a sentence as JSON', data('An upstream error: lost'), /lost/],
  ['the name of a status', 'data: Internal Server Error\n\n', /Internal Server Error/],
  ['the name of a status behind its number', 'data: HTTP/1.1 502 Bad Gateway\n\n', /502 Bad Gateway/],
  ['a sentence of Envoy', 'data: upstream connect error or disconnect/reset before headers\n\n', /disconnect/],
  ['a sentence of Cloudflare', 'data: error code: 502\n\n', /502/],
  ['a sentence that says that an error occurred', 'data: An error occurred while streaming\n\n', /streaming/],
  ['nothing but the word', 'data: ERROR\n\n', /ERROR/],
  ['success: false', data({ success: false, message: 'unsuccessful' }), /unsuccessful/],
  ['a sentence as the error', data({ error: 'overheated' }), /overheated/],
  ['an error in a list', data([{ error: { message: 'listed' } }]), /listed/],
  ['an event named Error', 'event: Error\ndata: {"x":1}\n\n', /failed/],
  ['an event named exception', 'event: exception\ndata: {"reason":"x"}\n\n', /failed/],
  ['success: false, and no more', data({ success: false }), /failed/],
  ['a status of an error, with a title', data({ title: 'Too many requests', status: 429 }), /Too many requests/],
  ['an error written as JSON twice', data('{"error":{"message":"twice"}}'), /twice/],
  ['the name of an exception alone', data({ __type: 'com.amazon#UnknownOperationException' }), /UnknownOperation/],
  ['a message that says so', data({ message: 'Internal server error' }), /Internal server error/],
  ['what `error` usually holds', data({ message: 'inner', type: 'invalid_request_error', code: null }), /inner/],
  ['an exception under its name', data({ throttlingException: { message: 'slow down' } }), /slow down/],
  ['an exception', data({ exception: 'worker gone', traceback: null, status: 500 }), /worker gone/],
  ['an error message', data({ error_type: 'overloaded', error_message: 'no room' }), /no room/],
  ['a failure', data({ failure: { message: 'no GPU' } }), /no GPU/],
  ['an err', data({ err: 'no GPU' }), /no GPU/],
  ['the event error in the data', data({ event: 'error', data: { x: 1 } }), /failed/],
  ['ok: false', data({ ok: false, message: 'not ok' }), /not ok/],
  ['success: "false"', data({ success: 'false', message: 'no success' }), /no success/],
  ['a retcode', data({ retcode: 7, msg: 'by number' }), /by number/],
  ['a return code', data({ return_code: 'FAIL', return_msg: 'by word' }), /by word/],
  ['an ErrorMsg next to choices', data({ Choices: [{ Delta: {} }], ErrorMsg: { Msg: 'busy', Code: 4 } }), /busy/],
  ['an error in data', data({ data: { error: { message: 'wrapped' } } }), /wrapped/],
  ['an error in a result', data({ result: { error: 'wrapped' } }), /wrapped/],
  ['an event named stream.error', 'event: stream.error\ndata: {"x":1}\n\n', /failed/],
  ['an event named error.message', 'event: error.message\ndata: {"message":"named"}\n\n', /named/],
  ['an event named overloaded_error', 'event: overloaded_error\ndata: {"message":"named"}\n\n', /named/],
  ['an event named as an exception', 'event: throttlingException\ndata: {"message":"named"}\n\n', /named/],
  ['an event named run.failed', 'event: run.failed\ndata: {"message":"named"}\n\n', /named/],
  ['another sentence of Envoy', 'data: no healthy upstream\n\n', /healthy/],
  [
    'a head that has a code',
    data({ header: { code: 10013, message: 'refused input', sid: 's', status: 2 } }),
    /refused/,
  ],
  ['a meta that has a code', data({ meta: { code: 'LIMIT', msg: 'by meta' }, data: null }), /by meta/],
  ['an answer of AWS Lambda, as data', data({ statusCode: 500, headers: { a: 'b' }, body: 'no worker' }), /no worker/],
  ['a status code, and no more', data({ status_code: 503 }), /failed/],
  ['the kind error', data({ kind: 'Error', message: 'kind' }), /kind/],
  ['a line of a log', data({ level: 'error', msg: 'lost the worker', ts: 1 }), /lost the worker/],
  ['a severity', data({ severity: 'FATAL', message: 'out of memory' }), /out of memory/],
  ['a state', data({ state: 'failed', request_id: 'r' }), /failed/],
  ['a state, with a message', data({ state: 'FAILED', message: 'no GPU' }), /no GPU/],
  ['a status that is a word', data({ status: 'failure' }), /failed/],
  ['a status that is a timeout', data({ status: 'timeout' }), /failed/],
  ['flags in other words', data({ isSuccess: false, message: 'no' }), /no/],
  ['successful: false', data({ successful: false }), /failed/],
  ['messages of errors', data({ errorMessages: ['no room'] }), /no room/],
  ['a response with an error by its name', data({ errorResponse: { message: 'no room' } }), /no room/],
  ['an error of the API', data({ api_error: 'no room' }), /no room/],
  ['an error summary', data({ errorSummary: 'no room', errorCode: 'E1' }), /no room/],
  ['an error in a result of JSON-RPC', data({ jsonrpc: '2.0', result: { error: 'no room' }, id: 3 }), /no room/],
  ['an error in the output', data({ output: { error: 'no room' }, request_id: 'r' }), /no room/],
  ['an error in the message', data({ message: { error: 'no room' } }), /no room/],
  ['a field named error', 'error: {"code":500,"message":"no slot","type":"server_error"}\n\n', /no slot/],
  ['a field named error, with a sentence', 'error:the worker is gone\r\n\r\n', /the worker is gone/],
  ['a finish reason alone', data({ finish_reason: 'error' }), /failed/],
  ['a state that is an exception', data({ state: 'Exception', message: 'no luck' }), /no luck/],
  ['a flag that it fails', data({ fail: true }), /failed/],
  ['a page', 'data: <!DOCTYPE html><html><body>Bad gateway</body></html>\n\n', /Bad gateway/],
  ['a page over lines', 'data: <html>\ndata: <h1>No way</h1>\n\n', /No way/],
  ['an error in XML', 'data: <?xml version="1.0"?><Error><Code>SlowDown</Code></Error>\n\n', /SlowDown/],
  ['a code and a message, in other words', data({ RespCode: '99', RespMsg: 'by response' }), /by response/],
  ['a number of an error', data({ err_no: 3, err_msg: 'by number' }), /by number/],
  ['a status of an error as a text', data({ status: '503', message: 'no room' }), /no room/],
  ['a code of HTTP', data({ http_code: 502, message: 'no gateway' }), /no gateway/],
  ['a flag', data({ isError: true, message: 'flagged' }), /flagged/],
  ['a result that is a word', data({ result: 'error', message: 'no result' }), /no result/],
  ['a status that is a word, next to no data', data({ status: 'ERROR', data: null }), /failed/],
  ['a list of Errors', data({ Errors: [{ Message: 'listed' }] }), /failed|listed/],
  ['a fault', data({ fault: { code: '900800', message: 'throttled' } }), /throttled/],
  ['sentences as the detail', data({ detail: ['no room'] }), /no room/],
  ['a message in the detail', data({ detail: { msg: 'no room' } }), /no room/],
  ['a sentence of limiters', 'data: Rate limit exceeded, retry later\n\n', /Rate limit/],
]

describe('an error within a stream, in whatever format, is upstream_error, and passes unchanged', () => {
  for (const stream of [chat, completions, responses, anthropic, geminiSse, cohere]) {
    for (const [what, event, said] of events) {
      test(`${stream.name}: ${what}`, async (t) => {
        const { received, record } = await answered(t, stream, SSE, event)
        assert.equal(received, event)
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
        assert.match(record.error ?? '', said)
      })
    }
  }

  test('after text, before a proper end, and for Ollama on a line', async (t) => {
    const late = [...chat.frames.slice(0, 3), data({ code: 500, message: 'died' }), 'data: [DONE]\n\n'].join('')
    const sentence = [...chat.frames.slice(0, 3), 'data: Error: died\n\n', 'data: [DONE]\n\n'].join('')
    const line = '{"model":"m","message":{"content":"Once"},"done":false}\n{"error":"out of memory"}\n'
    for (const [stream, body] of [
      [chat, late],
      [chat, sentence],
      [chat, [...chat.frames.slice(0, 3), 'error: {"code":500,"message":"died"}\n\n', 'data: [DONE]\n\n'].join('')],
      [llamaCpp, [...llamaCpp.frames.slice(0, 3), 'error: {"code":500,"message":"died"}\n\n'].join('')],
      [chat, 'data: Error: died\n\ndata: [DONE]\n\n'],
      [ollamaChat, line],
    ] as const) {
      const { received, record } = await answered(t, stream, stream.contentType, body)
      assert.equal(received, body)
      assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
    }
  })

  test('but not in a protocol that is not known, nor within the text of an answer, nor where there is none', async (t) => {
    const text = 'data: Error: a token\n\ndata: [DONE]\n\n'
    const none = [...chat.frames.slice(0, -1), 'data: no error: all is well\n\n', 'data: [DONE]\n\n'].join('')
    const said = [...chat.frames.slice(0, -2), data({ choices: [{ index: 0, delta: { content: 'Error: x' } }] })]
    for (const [stream, body] of [
      [{ ...chat, path: '/of/another/kind' }, text],
      [chat, none],
      [chat, ['error:\n\n', ...chat.frames, 'errors: 0\n\n'].join('')],
      [chat, [...said, ...chat.frames.slice(-2), 'data: [DONE]\n\n'].join('')],
    ] as const) {
      const { record } = await answered(t, stream, SSE, body)
      assert.equal(record.outcome, 'completed')
    }
  })

  test('but not in a format of the app, whose model may have written it', async (t) => {
    const body = ['"Once: "', '"Error: "', 'Error: a token', '{"isEnd":true}']
      .map((text) => `data: ${text}\n\n`)
      .join('')
    const provider = await startProvider(t, { onCall: (call) => call.sse([body]).end() })
    const readMessage = ({ isEnd }: Record<string, unknown>) => ({ isLast: isEnd === true })
    const app = await startApp(t, { target: provider.url, endpoints: 'all', format: { name: 'x-words', readMessage } })
    await (await post(`${app.url}/talk`, chat.request)).text()
    assert.equal((await app.record()).outcome, 'completed')
  })

  test('next to the last text, however many events follow', async (t) => {
    const failed = [{ finish_reason: 'error' }, { finish_reason: null, error: { message: 'no' } }].map((end) =>
      data({ choices: [{ index: 0, delta: { content: ' was' }, ...end }] }),
    )
    const costs = data({ id: 'c', choices: [], cost: 1 }).repeat(6)
    for (const event of failed) {
      for (const rest of [costs, `${costs}data: [DONE]\n\n`]) {
        const { received, record } = await answered(t, chat, SSE, [...chat.frames.slice(0, 3), event, rest].join(''))
        assert.ok(received.endsWith(rest))
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
      }
    }
  })

  test('in JSON between events, where clients skip it', async (t) => {
    const stray = '{"error":{"message":"Key unknown"}}\n\n'
    for (const body of [`${stray}data: [DONE]\n\n`, `${chat.frames[0]}${stray}data: [DONE]\n\n`]) {
      const { received, record } = await answered(t, chat, SSE, body)
      assert.equal(received, body)
      assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
      assert.match(record.error ?? '', /Key unknown/)
    }
  })

  const reasons: [WireStream, object][] = [
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'error' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'insufficient_system_resource' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'network_error' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'abort' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'upstream_timeout' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'engine_overloaded' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'exception' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'rate_limit' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'rate_limit_exceeded' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'interrupted' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'server-error' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'internalError' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'Timed out' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'generation_failed' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'network_failure' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'worker_crashed' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'connection_lost' }] }],
    [chat, { choices: [{ index: 0, delta: {}, finish_reason: 'insufficient_quota' }] }],
    [completions, { choices: [{ index: 0, text: '', finish_reason: 'internal_error' }] }],
    [
      chat,
      {
        choices: [
          { index: 0, delta: {}, finish_reason: 'stop' },
          { index: 1, delta: {}, finish_reason: 'error' },
        ],
      },
    ],
    [cohere, { type: 'message-end', delta: { finish_reason: 'TIMEOUT' } }],
    [cohere, { type: 'message-end', delta: { finish_reason: 'ERROR_TOXIC' } }],
    [chat, { choices: [{ index: 0, delta: {}, error: { message: 'no' } }] }],
    [chat, { choices: [{ index: 0, delta: { content: '', error: { message: 'no' } }, finish_reason: null }] }],
    [chat, { choices: [{ index: 0, message: { error: 'no' } }] }],
    [completions, { choices: [{ index: 0, text: '', finish_reason: 'error' }] }],
    [cohere, { type: 'message-end', delta: { finish_reason: 'ERROR' } }],
    [responses, { type: 'response.failed', response: { id: 'r', status: 'failed', error: null } }],
  ]
  for (const [stream, message] of reasons) {
    test(`${stream.name}: ${JSON.stringify(message)}`, async (t) => {
      const { record } = await answered(t, stream, SSE, `${data(message)}data: [DONE]\n\n`)
      assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
    })
  }
})

/** What says that there is no answer, without a word for an error. */
const sentences: [what: string, message: unknown][] = [
  ['a message', { message: 'No route leads there', request_id: 'r' }],
  ['a Message', { Message: 'User: x is not authorized to invoke this model' }],
  ['a reason and a number', { reason: 'No route leads there', rc: 4 }],
  ['a description', { description: 'The key has expired' }],
  ['a list of problems', { problems: [{ code: 'E1', message: 'No route leads there' }] }],
  ['details', { details: 'No route leads there' }],
  ['a trace', { traceback: 'Traceback (most recent call last):' }],
  ['a status next to data', { status: 'fail', data: { title: 'No route leads there' } }],
  ['a sentence', 'No route leads there'],
  ['a sentence without spaces', '没有可用的模型'],
]
const asText = (message: unknown) => (typeof message === 'string' ? message : JSON.stringify(message))

describe('a stream that has a sentence in the place of an answer', () => {
  for (const stream of [...Object.values(streams).filter(({ contentType }) => contentType.startsWith(SSE))]) {
    for (const [what, message] of sentences) {
      for (const last of ['', 'data: [DONE]\n\n']) {
        test(`${stream.name}: ${what}${last && ', and an end'}, is upstream_error`, async (t) => {
          const sent = `data: ${asText(message)}\n\n${last}`
          const { received, record } = await answered(t, stream, SSE, sent)
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
          assert.ok(received.startsWith(sent))
        })
      }
    }
  }

  test('for Ollama, on a line', async (t) => {
    const { record } = await answered(t, ollamaChat, ollamaChat.contentType, '{"message":"No route leads there"}\n')
    assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
    assert.match(record.error ?? '', /No route leads there/)
  })

  test('but not if it may be an answer in another protocol, or there are more of it', async (t) => {
    const other = [{ result: 'Once', is_end: true }, { response: 'Once' }, { items: [{ message: 'Once' }] }, 1]
    for (const body of [...other.map(data), data({ message: 'Once' }).repeat(3)]) {
      assert.equal((await answered(t, chat, SSE, body)).record.outcome, 'completed', body)
    }
    const unknown = { ...chat, path: '/of/another/kind' }
    assert.equal((await answered(t, unknown, SSE, data({ message: 'Once' }))).record.outcome, 'completed')
  })
})

describe('a JSON answer that has a sentence in the place of an answer', () => {
  for (const { name, path, request } of [chat, completions, responses, anthropic, cohere]) {
    for (const [what, message] of sentences.filter(([, each]) => typeof each !== 'string')) {
      for (const early of [false, true]) {
        test(`${name}: ${what}${early ? ', after a heartbeat' : ''}, is upstream_error`, async (t) => {
          const asked = { path, request: { ...request, stream: early } }
          const { received, record } = await answered(t, asked, JSON_TYPE, asText(message), early)
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
          assert.ok(early || received === asText(message))
        })
      }
    }
  }

  test('but not if it says nothing, or no model was to write anything', async (t) => {
    const plain = { ...chat, request: { ...chat.request, stream: false } }
    const counted = { ...anthropic, path: '/v1/messages/count_tokens' }
    for (const [asked, body] of [
      [plain, '{"ok":true}'],
      [plain, '{"request_id":"r"}'],
      [counted, '{"message":"nothing to count"}'],
      [{ ...plain, path: '/of/another/kind' }, '{"message":"Once"}'],
    ] as const) {
      assert.equal((await answered(t, asked, JSON_TYPE, body)).record.outcome, 'completed', body)
    }
  })
})

/** Where objects are due, these say nothing. */
const blanks = ['[]', '""', 'null', 'false']

describe('an answer that says nothing', () => {
  for (const { name, path, request } of [chat, completions, responses, anthropic, geminiSse, cohere]) {
    for (const body of blanks) {
      for (const early of [false, true]) {
        test(`${name}: ${body}${early ? ', after a heartbeat' : ''}, is upstream_error`, async (t) => {
          const plain = early ? path : path.replace('streamGenerateContent?alt=sse', 'generateContent')
          const asked = { path: plain, request: { ...request, stream: early } }
          const { received, record } = await answered(t, asked, JSON_TYPE, body, early)
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
          assert.ok(early || received === body)
        })
      }
    }
  }

  for (const stream of [chat, anthropic, responses, cohere]) {
    for (const body of ['[]', 'null', '""']) {
      for (const times of [1, 2]) {
        test(`${stream.name}: ${times} events of ${body}, and no end, is upstream_truncated`, async (t) => {
          const { record } = await answered(t, stream, SSE, `data: ${body}\n\n`.repeat(times))
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_truncated'])
        })
      }
    }
  }

  test('leads to the next target', async (t) => {
    for (const [type, body] of [
      [JSON_TYPE, '[]'],
      [JSON_TYPE, 'null'],
      [SSE, data([])],
    ] as const) {
      const { app } = await startPair(t, ({ res }) => res.writeHead(200, { 'content-type': type }).end(body))
      assert.equal(await (await post(app.url + chat.path, chat.request)).text(), ANSWER)
      assert.equal((await app.record()).target, 'b')
    }
  })

  test('is none if it is an object, as of many stand-ins for a provider', async (t) => {
    for (const [type, body] of [
      [JSON_TYPE, '{}'],
      [SSE, data({})],
    ] as const) {
      const { record } = await answered(t, chat, type, body)
      assert.equal(record.outcome, 'completed', body)
      const { app } = await startPair(t, ({ res }) => res.writeHead(200, { 'content-type': type }).end(body))
      assert.equal(await (await post(app.url + chat.path, chat.request)).text(), body)
      const routed = await app.record()
      assert.deepEqual([routed.target, routed.outcome], ['a', 'completed'])
    }
  })

  test('is one where it may be, or if more follows', async (t) => {
    for (const [path, type, body] of [
      ['/v1/moderations', JSON_TYPE, '[]'],
      ['/v1/responses/r/cancel', JSON_TYPE, '[]'],
      ['/v1beta/models/m:countTokens', JSON_TYPE, '[]'],
      ['/v1beta/models/m:batchEmbedContents', JSON_TYPE, '{}'],
      ['/v1/audio/transcriptions', JSON_TYPE, '""'],
      ['/v1/unheard', JSON_TYPE, '[]'],
      ['/v1/unheard', SSE, data([])],
      [chat.path, SSE, [data([]), ...chat.frames].join('')],
      [chat.path, SSE, data([]) + data({ result: 'Once' })],
      [chat.path, SSE, data({ result: 'Once' }) + data([])],
    ] as const) {
      const { record } = await answered(t, { path, request: { model: 'm' } }, type, body)
      assert.equal(record.outcome, 'completed', `${path} ${body}`)
    }
  })
})

describe('a sentence in the place of vectors, an order or pictures is upstream_error', () => {
  for (const path of ['/v1/embeddings', '/v2/embed', '/api/embed', '/v2/rerank', '/v1/images/generations']) {
    for (const body of ['{"message":"No key for that model"}', '{"problems":["no room"]}']) {
      test(`${path}: ${body}`, async (t) => {
        const { received, record } = await answered(t, { path, request: { model: 'm' } }, JSON_TYPE, body)
        assert.equal(received, body)
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
      })
    }
  }

  for (const [path, body] of [
    ['/v1/embeddings', { object: 'list', data: [], model: 'm' }],
    ['/api/embed', { embeddings: [] }],
    ['/v2/rerank', { results: [{ index: 0 }], message: 'One was too long' }],
    ['/v1/images/generations', { data: [{ url: 'https://x.test/1.png' }], message: 'Two were refused' }],
  ] as const) {
    test(`but not next to them: ${path}`, async (t) => {
      const { record } = await answered(t, { path, request: { model: 'm' } }, JSON_TYPE, JSON.stringify(body))
      assert.equal(record.outcome, 'completed')
    })
  }
})

describe('the next target is asked after a sentence in the place of an answer', () => {
  for (const [type, body] of [
    [SSE, data({ message: 'No route leads there' })],
    [SSE, `${data({ message: 'No route leads there' })}data: [DONE]\n\n`],
    [SSE, 'data: No route leads there\n\n'],
    [JSON_TYPE, '{"reason":"No route leads there"}'],
  ] as const) {
    test(body.trim(), async (t) => {
      const { app } = await startPair(
        t,
        ({ res }) => res.writeHead(200, { 'content-type': type }).end(body),
        (call) => answer(call),
      )
      assert.equal(await (await post(app.url + chat.path, chat.request)).text(), ANSWER)
      assert.equal((await app.record()).target, 'b')
    })
  }
})

describe('a body labelled as an event stream that is not one', () => {
  const page = '<html>\n<body>\n\n<h1>502 Bad Gateway</h1>\n\n</body>\n</html>'
  const bodies: [what: string, body: string, said: RegExp][] = [
    ['an error in JSON', '{"error":{"message":"Key unknown"}}', /Key unknown/],
    [
      'an error in JSON, printed over lines',
      JSON.stringify({ error: { message: 'Key unknown' } }, null, 2),
      /Key unknown/,
    ],
    ['an error in JSON, with a blank line', '{"error":{"message":"Key unknown"}}\n\n', /Key unknown/],
    ['a detail in JSON', '{"detail":"Key unknown"}', /Key unknown/],
    ['a page', page, /did not answer with an event stream/],
    ['a page on one line', page.replaceAll('\n', ''), /did not answer with an event stream/],
    ['a text', 'upstream connect error or disconnect/reset before headers', /did not answer with an event stream/],
  ]
  for (const [what, body, said] of bodies) {
    for (const early of [false, true]) {
      test(`${what}${early ? ', opened early' : ''}: an error event`, async (t) => {
        const { received, record } = await answered(t, chat, SSE, body, early)
        assert.match(received, /data: \{"error":\{.*"code":"upstream_error".*\n\n$/)
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
        assert.match(record.error ?? '', said)
      })
    }
  }
})

describe('an error within a JSON answer with status 200', () => {
  const bodies = [
    '{"error":{"message":"Key unknown"}}',
    '{"code":"Throttled","message":"Key unknown"}',
    '{"base_resp":{"status_code":1004,"status_msg":"Key unknown"},"choices":null}',
    '[{"error":{"message":"Key unknown"}}]',
    '{"fault":{"faultstring":"Key unknown"}}',
    '{"errcode":40001,"errmsg":"Key unknown"}',
    '{"header":{"code":10005,"message":"Key unknown"}}',
    '{"statusCode":401,"body":"Key unknown"}',
    '{"data":{"base_resp":{"status_code":1004,"status_msg":"Key unknown"}}}',
    '{"metadata":{"error":"Key unknown"}}',
    '{"result":{"success":false,"msg":"Key unknown"}}',
  ]
  for (const { name, path, request } of [chat, responses, anthropic, geminiSse, cohere]) {
    for (const body of bodies) {
      test(`${name}: ${body} passes unchanged`, async (t) => {
        const plain = {
          path: path.replace('streamGenerateContent?alt=sse', 'generateContent'),
          request: { ...request, stream: false },
        }
        const { received, status, record } = await answered(t, plain, JSON_TYPE, body)
        assert.deepEqual([received, status], [body, 200])
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
        assert.match(record.error ?? '', /Key unknown/)
      })

      test(`${name}: ${body} becomes an error event if the stream was opened early`, async (t) => {
        const { received, record } = await answered(t, { path, request }, JSON_TYPE, body, true)
        assert.match(received, /^(?:event: .*\n)?data: .*Key unknown.*\n\n$/)
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
      })
    }
  }
})

describe('a text in the place of a JSON answer, with status 200', () => {
  const texts: [type: string, body: string][] = [
    ['text/plain', 'Internal Server Error'],
    ['text/plain; charset=utf-8', '\n upstream connect error or disconnect/reset before headers'],
    [JSON_TYPE, '"502 Bad Gateway"'],
    [JSON_TYPE, '{"__type":"com.amazon#UnknownOperationException"}'],
    [JSON_TYPE, '{"message":"Too Many Requests"}'],
    [JSON_TYPE, '{"error-code":17}'],
    [JSON_TYPE, '"Forbidden"'],
    ['text/plain', 'HTTP/1.1 401 Unauthorized\n'],
  ]
  for (const { name, path, request } of [chat, responses, anthropic, geminiSse, cohere]) {
    const plain = path.replace('streamGenerateContent?alt=sse', 'generateContent')
    for (const [type, body] of texts) {
      test(`${name}: ${body} passes unchanged, and is upstream_error`, async (t) => {
        const sent = { path: plain, request: { ...request, stream: false } }
        const { received, status, record } = await answered(t, sent, type, body)
        assert.deepEqual([received, status], [body, 200])
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
      })

      for (const early of [false, true]) {
        test(`${name}: ${body} instead of a stream${early ? ' that was opened early' : ''}`, async (t) => {
          const { record } = await answered(t, { path, request }, type, body, early)
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
        })
      }
    }
  }

  test('but another text passes, and so does what an unknown path or a transcription answers', async (t) => {
    for (const [path, body] of [
      ['/v1/chat/completions', 'Once upon a time'],
      ['/v1/chat/completions', 'Forbidden love'],
      ['/v1/unheard', 'Internal Server Error'],
      ['/v1/audio/transcriptions', '"Error: she said"'],
    ] as const) {
      for (const type of ['text/plain', JSON_TYPE]) {
        const { received, record } = await answered(t, { path, request: { model: 'm' } }, type, body)
        assert.deepEqual([received, record.outcome], [body, 'completed'])
      }
    }
  })
})

describe('a message that resembles an error but is not one', () => {
  const choices = [
    { index: 0, delta: { content: '{"error":{"message":"x"}} "detail": "code"' }, finish_reason: 'stop' },
  ]
  const ordinary: object[] = [
    { choices },
    { choices, error: null },
    { choices, error: {} },
    { choices, error: '' },
    { choices, error: { code: null, message: null } },
    { choices, errors: [] },
    { choices, code: 0, message: 'success' },
    { choices, code: 'OK', msg: '' },
    { choices, base_resp: { status_code: 0, status_msg: '' } },
    { choices, detail: null },
    { choices, Error: {}, errors: {}, errcode: 0, errmsg: 'ok', errorMessage: '' },
    { choices, status_code: 200, message: '' },
    { choices, type: 'invalid_request_error', exception: null, ErrorMsg: { Msg: '', Code: 0 } },
    { choices, retcode: '0000', ok: true, err: null },
    { choices, header: { code: 0, message: 'Success' }, kind: 'chunk', level: 'info', state: 'failed' },
    { choices, meta: { code: 'a', message: 'b' }, statusCode: 200, severity: 'NEGLIGIBLE' },
  ]
  for (const name of ['tool_error', 'tool_call.failed', 'response.mcp_call.failed', 'step-error', 'terror']) {
    test(`in a stream: an event named ${name}`, async (t) => {
      const event = `event: ${name}\ndata: {"choices":[],"x":1}\n\n`
      const { record } = await answered(t, chat, SSE, event + chat.frames.join(''))
      assert.deepEqual([record.outcome, record.error], ['completed', undefined])
    })
  }

  test('in a stream of another protocol: an event named job.failed', async (t) => {
    const sent = 'event: job.failed\ndata: {"job":3}\n\nevent: end\ndata: {"jobs":4}\n\n'
    const { record } = await answered(t, { path: '/v1/unheard', request: chat.request }, SSE, sent)
    assert.deepEqual([record.outcome, record.error], ['completed', undefined])
  })

  for (const chunk of ordinary) {
    test(`in a stream: ${JSON.stringify({ ...chunk, choices: 1 })}`, async (t) => {
      const { record } = await answered(t, chat, SSE, `${data(chunk)}data: [DONE]\n\n`)
      assert.deepEqual([record.outcome, record.error], ['completed', undefined])
    })
  }

  const answers: [path: string, body: object][] = [
    ['/v1/chat/completions', { id: 'c', choices: [{ message: { content: 'x' }, finish_reason: 'stop' }], error: {} }],
    ['/v1/unheard', { code: 0, message: 'success', data: [] }],
    ['/v1/unheard', { code: 'success', message: 'done', result: { ok: true } }],
    ['/v1/chat', { response_id: 'r', generation_id: 'g', text: 'Once', message: 'Tell a story', code: 'a' }],
    ['/v1/batches/b', { id: 'b', object: 'batch', errors: null, status: 'failed' }],
    [
      '/v1/batches/c',
      { id: 'c', object: 'batch', errors: { object: 'list', data: [{ code: 'x' }] }, status: 'failed' },
    ],
    ['/v1/imports/i', { status: 'ok', errors: 3 }],
    ['/v1/imports/j', { status: 'ok', errors: 'none' }],
    ['/v1/measures/m', { Error: 0.05, value: 12 }],
    ['/v1/jobs/j', { id: 'j', last_error: { message: 'x' }, error_details: 'of the last run' }],
    ['/v1/jobs/k', { data: { message: 'failed before', state: 'done' } }],
    ['/v1/jobs/m', { id: 'm', state: 'failed', attempts: 3 }],
    ['/v1/imports/k', { state: 'failed', rows: 3 }],
    ['/v1/jobs/n', { header: { code: 0, message: 'Success' }, payload: { text: 'x' } }],
    ['/v1/jobs/l', { retcode: '0', msg: 'fine' }],
    ['/v1/measures/n', { Error: 'None', error: 'none', value: 12 }],
    ['/v1/measures/o', { Output: { __type: 'Text', text: 'of the model' } }],
    ['/v1/files/f', { id: 'f', object: 'file', status: 'error', status_details: 'bad' }],
    ['/v1/notes', { detail: 'long', title: 'A note', text: 'of the model' }],
  ]
  for (const [path, body] of answers) {
    test(`in an answer of ${path}: ${JSON.stringify(body)}`, async (t) => {
      const { record } = await answered(t, { path, request: { model: 'm' } }, JSON_TYPE, JSON.stringify(body))
      assert.deepEqual([record.outcome, record.error], ['completed', undefined])
    })
  }
})

describe('an error that stands in the place of a whole answer', () => {
  for (const body of [
    '{"message":"Forbidden"}',
    '{"message":"Key is over its limit","request_id":"r"}',
    '{"code":"rate_limit_exceeded"}',
    '{"type":"ErrorResponse","message":"no"}',
    '{"error":[],"message":"no"}',
    '{"status":"failed","reason":"no"}',
    '{"Errors":[{"Message":"no"}]}',
  ]) {
    for (const format of [chat, responses, anthropic, geminiSse, ollamaChat]) {
      const { path, request } = format
      for (const [what, type, sent] of [
        ['an answer', JSON_TYPE, body],
        ['a stream', format.contentType, format === ollamaChat ? `${body}\n` : `data: ${body}\n\n`],
      ] as const) {
        test(`${what} of ${format.name}: ${body}`, async (t) => {
          const { record } = await answered(t, { path, request }, type, sent)
          assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'])
        })
      }
    }
  }

  for (const body of ['{"message":"Hello","id":"a"}', '{"text":"Hello"}']) {
    test(`is none if there is an answer: ${body}`, async (t) => {
      const { record } = await answered(t, { path: chat.path, request: { model: 'm', messages: [] } }, JSON_TYPE, body)
      assert.equal(record.outcome, 'completed')
    })
  }
})
