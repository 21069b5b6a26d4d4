import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startApp } from './support/app.js'
import { type Call, startProvider } from './support/provider.js'
import { streams } from './support/streams.js'
import { startPair } from './support/targets.js'

const SSE = 'text/event-stream'
const JSON_TYPE = 'application/json'
const data = (value: unknown, event?: string) => `${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(value)}\n\n`
const done = 'data: [DONE]\n\n'

interface Sent {
  readonly method: string
  readonly path: string
  readonly type: string
  readonly body: string
  readonly request?: object
}

/** Sends a request to an app with one target, and to one with a second that would answer something else. */
function passes(what: string, { method, path, type, body, request = { model: 'm' } }: Sent) {
  const onCall = ({ res }: Call) => res.writeHead(200, { 'content-type': type }).end(body)
  const init = {
    method,
    ...(method === 'POST' && { body: JSON.stringify(request), headers: { 'content-type': JSON_TYPE } }),
  }

  test(`${what}: ${method} ${path}`, async (t) => {
    const provider = await startProvider(t, { onCall })
    const app = await startApp(t, { target: provider.url, endpoints: 'all' })
    const response = await fetch(app.url + path, init)
    assert.deepEqual([response.status, await response.text()], [200, body])
    const { outcome, code, error } = await app.record()
    assert.deepEqual([outcome, code, error], ['completed', undefined, undefined])
  })

  test(`${what}, with several targets: ${method} ${path}`, async (t) => {
    const { app, b } = await startPair(t, onCall, ({ res }) => res.end(), { endpoints: 'all' })
    const response = await fetch(app.url + path, init)
    assert.equal(await response.text(), body)
    const { outcome, target, error } = await app.record()
    assert.deepEqual([outcome, target, error, b.calls.length], ['completed', 'a', undefined, 0])
  })
}

describe('the errors of what a request asks about are not those of its answer', () => {
  const error = { code: 'server_error', message: 'The job failed' }
  const failed = { id: 'x', status: 'failed', error }
  const states: [what: string, path: string, body: unknown][] = [
    ['a tuning job', '/v1/fine_tuning/jobs/x', { object: 'fine_tuning.job', ...failed }],
    ['a video', '/v1/videos/x', { object: 'video', ...failed }],
    ['a run', '/v1/threads/t/runs/x', { object: 'thread.run', id: 'x', status: 'failed', last_error: error }],
    ['a response', '/v1/responses/x', { object: 'response', ...failed, output: [] }],
    ['an interaction', '/v1beta/interactions/x', { id: 'x', status: 'failed', outputs: [] }],
    ['an operation', '/v1beta/models/m/operations/o', { name: 'operations/o', done: true, error: { code: 3 } }],
    ['a file', '/v1beta/files/f', { name: 'files/f', state: 'FAILED', error }],
    ['a job of Bedrock', '/model-invocation-job/j', { jobArn: 'a', status: 'Failed', message: 'Access denied' }],
    ['a job with a list', '/v1/batch/jobs/j', { id: 'j', status: 'FAILED', errors: [{ message: 'x', count: 1 }] }],
    ['a prediction', '/v1/predictions/p', { id: 'p', status: 'failed', error: 'out of memory', output: null }],
    ['a request', '/v1/async/r', { id: 'r', model: 'm', status: 'FAILED', error_message: 'gone', response: null }],
    ['what is enclosed', '/api/v1/generation', { data: { id: 'g', error: 'x', total_cost: 0 } }],
    ['a list of one', '/v1/jobs', [failed]],
    ['a state alone', '/v1/state', { status: 'failed' }],
    ['a line of a log', '/v1/logs/1', { level: 'error', msg: 'in line 3' }],
    ['a flag', '/v1/exists', { ok: false }],
    ['a slot', '/slots', [{ id: 0, timeout: true }]],
    ['a line of results', '/v1/files/f/content', { id: 'b', custom_id: 'a', response: null, error }],
  ]
  for (const [what, path, body] of states) {
    passes(what, { method: 'GET', path, type: JSON_TYPE, body: JSON.stringify(body) })
  }

  for (const body of ['{"error":"of the user"}', '{"a":', 'data: {"error":{"message":"x"}}\n\n', '{"a":1}\n{"b"']) {
    for (const type of [JSON_TYPE, SSE, 'application/x-ndjson', 'text/plain']) {
      passes(`a file of ${type}: ${body}`, { method: 'GET', path: '/v1/files/f/content', type, body })
    }
  }
  passes('a job that has been cancelled', {
    method: 'POST',
    path: '/v1/fine_tuning/jobs/x/cancel',
    type: JSON_TYPE,
    body: JSON.stringify({ ...failed, status: 'cancelled' }),
  })
  passes('an operation', {
    method: 'POST',
    path: '/v1/projects/p/locations/l/publishers/google/models/m:fetchPredictOperation',
    type: JSON_TYPE,
    body: JSON.stringify({ name: 'o', done: true, error }),
  })
  passes('what has been deleted', {
    method: 'DELETE',
    path: '/v1/videos/x',
    type: JSON_TYPE,
    body: JSON.stringify({ ...failed, deleted: true }),
  })
  passes('events of a job', {
    method: 'GET',
    path: '/v1/fine_tuning/jobs/x/events?stream=true',
    type: SSE,
    body: data({ id: 'e', level: 'error', message: 'x', data: {} }) + data({ id: 'f', job: 1, error: 'x' }),
  })

  test('but an answer that consists of an error is one', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: 'all' })
    for (const body of [
      { error },
      { error: { message: 'no key' }, request_id: 'r' },
      { type: 'error', error, request_id: 'r' },
      { object: 'error', message: 'no', type: 'NotFound', param: null, code: 404 },
      { code: 'InvalidApiKey', message: 'no', request_id: 'r' },
      { errors: [{ message: 'no' }], data: null },
      { success: false, message: 'no' },
      { data: { error } },
      { detail: 'Not authenticated' },
    ]) {
      for (const path of ['/v1/videos/x', '/v1/responses/x']) {
        const answered = fetch(app.url + path)
        const call = await provider.next()
        call.json(200, body)
        await (await answered).text()
        const record = await app.record()
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'], JSON.stringify(body))
      }
    }
  })
})

describe('what services of the app say is no error unless it consists of one', () => {
  const events: [what: string, body: string][] = [
    ['a step', data({ step: 1, status: 'failed', message: 'once more' }) + data({ step: 1, status: 'ok' })],
    ['code', data({ type: 'code', code: 'x = 1', message: 'a snippet' }) + data({ end: true })],
    ['a finding', data({ severity: 'error', message: 'unused', line: 3 }) + data({ end: true })],
    ['a correction', data({ kind: 'error', span: [0, 3], suggestion: 'the' })],
    ['what is invalid', data({ valid: false, errors: ['the name is missing'] })],
    ['flags', data({ ok: false, id: 3 }) + data({ ok: true, id: 4 })],
  ]
  for (const [what, body] of events) passes(what, { method: 'POST', path: '/app/service', type: SSE, body })

  const answers: [what: string, body: unknown][] = [
    ['what is invalid', { valid: false, errors: ['the name is missing'] }],
    ['nothing found', { success: false, results: [] }],
    ['what does not exist', { ok: false }],
    ['a part of the data', { data: { x: 1 }, errors: [{ message: 'y is missing' }] }],
    ['a class', [{ label: 'toxic', score: 0.9, type: 'error' }]],
    ['a job', { id: 'j', status: 'failed', message: 'queued again' }],
    ['issues', { issues: [{ message: 'The door is stuck' }] }],
    ['problems', { problems: ['2 + 2'] }],
    ['a result of a tool', { jsonrpc: '2.0', id: 1, result: { error: 'no such row', isError: true } }],
    ['what a service said', { message: { error: 'no such row' } }],
  ]
  for (const [what, body] of answers) {
    passes(what, { method: 'POST', path: '/app/service', type: JSON_TYPE, body: JSON.stringify(body) })
  }

  test('but what consists of one is', async (t) => {
    const provider = await startProvider(t)
    const app = await startApp(t, { target: provider.url, endpoints: 'all' })
    for (const body of [
      { event: 'error', task_id: 't', message_id: 'm', status: 400, code: 'invalid_param', message: 'no' },
      { type: 'error', errorText: 'no' },
      { code: 'InvalidParameter', message: 'no', request_id: 'r' },
      { result: null, success: false, errors: [{ code: 10000, message: 'no' }], messages: [] },
      { id: 'x', choices: null, base_resp: { status_code: 1004, status_msg: 'no' } },
      { id: 'x', status: 'failed', error: 'no' },
      [{ error: { code: 403, message: 'no' } }],
    ]) {
      for (const type of [SSE, JSON_TYPE]) {
        const answered = fetch(`${app.url}/app/service`, { method: 'POST', body: '{}' })
        const call = await provider.next()
        call.res.writeHead(200, { 'content-type': type }).end(type === SSE ? data(body) : JSON.stringify(body))
        await (await answered).text()
        const record = await app.record()
        assert.deepEqual([record.outcome, record.code], ['upstream_error', 'upstream_error'], JSON.stringify(body))
      }
    }
  })
})

describe('an answer is one, whatever went wrong on the way to it', () => {
  const { path, request, frames } = streams.chat
  const chat = { method: 'POST', path, type: SSE, request }
  const [first = '', ...others] = frames.map(String)
  for (const [what, event] of [
    ['a tool that failed', data({ type: 'tool_error', message: 'Error: too slow', code: 'TIMEOUT' })],
    ['the result of a tool', data({ tool: 'search', status: 'error', error: 'too slow' })],
    ['a call that found nothing', data({ tool_call_id: 't', success: false, message: 'not found' })],
    ['a warning', data({ code: 'W1', message: 'The model is deprecated' }, 'warning')],
    ['a note', data({ level: 'info', code: 'ROUTED', message: 'Routed to m2' })],
    ['another attempt', data({ type: 'retry', attempt: 1, status: 503 })],
    ['an event of a tool', data({ success: false, message: 'not found' }, 'tool_result')],
    [
      'a list of errors next to a choice',
      data({ choices: [{ index: 0, delta: { content: 'x' } }], errors: [{ message: 'no search' }] }),
    ],
  ] as const) {
    passes(what, { ...chat, body: [first, event, ...others].join('') })
    passes(`${what}, at the beginning`, { ...chat, body: [event, first, ...others].join('') })
    const [end = '', ...last] = others.slice(-3)
    passes(`${what}, at the end`, { ...chat, body: [first, ...others.slice(0, -3), end, event, ...last].join('') })
  }
  for (const reason of ['no_error', 'tool_error', 'tool-error', 'functionCallError', 'token_limit_exceeded']) {
    const body = data({ choices: [{ index: 0, delta: { content: 'x' }, finish_reason: reason }] }) + done
    passes(`the finish reason ${reason}`, { ...chat, body })
  }

  passes('events of another protocol', {
    method: 'POST',
    path: '/v1/chat',
    type: SSE,
    request: { stream: true },
    body: ['start', 'text-start', 'text-delta', 'tool-output-error', 'text-end', 'finish']
      .map((type) => data({ type, id: '1', delta: 'x', errorText: 'x' }))
      .join(''),
  })

  test('what an app reads as an answer of its own format', async (t) => {
    const readMessage = ({ message, end }: Record<string, unknown>) => ({ text: String(message), isLast: end === true })
    for (const [type, body] of [
      [SSE, data({ code: 'a1', message: 'Hello', end: false }) + data({ code: 'a2', message: 'you', end: true })],
      [JSON_TYPE, JSON.stringify({ code: 'a1', message: 'Hello', end: true })],
    ] as const) {
      const onCall = ({ res }: Call) => res.writeHead(200, { 'content-type': type }).end(body)
      const provider = await startProvider(t, { onCall })
      const app = await startApp(t, { target: provider.url, endpoints: 'all', format: { name: 'x-own', readMessage } })
      assert.equal(await (await fetch(`${app.url}/talk`, { method: 'POST' })).text(), body)
      assert.equal((await app.record()).outcome, 'completed', type)
    }
  })

  passes('a search that failed', {
    method: 'POST',
    path,
    type: JSON_TYPE,
    request: { model: 'm', messages: [] },
    body: JSON.stringify({
      choices: [{ index: 0, message: { content: 'x' }, finish_reason: 'stop' }],
      errors: [{ message: 'no search' }],
    }),
  })
  passes('pictures, without those that were refused', {
    method: 'POST',
    path: '/model/m/invoke',
    type: JSON_TYPE,
    body: JSON.stringify({ images: ['AA'], error: 'Some images were blocked' }),
  })
  passes('a text in `message`', {
    method: 'POST',
    path: '/model/m/invoke',
    type: JSON_TYPE,
    body: JSON.stringify({ message: 'A woman walks in the street', finishReason: 'stop' }),
  })
  passes('a transcription in events of text', {
    method: 'POST',
    path: '/v1/audio/transcriptions',
    type: SSE,
    request: { model: 'm', stream: true },
    body: 'data: Error: she said\n\ndata: and left\n\n',
  })

  test('but not if there is no tool', async (t) => {
    const body = first + data({ tool: null, type: 'chunk', error: { message: 'no' } })
    const provider = await startProvider(t, { onCall: (call) => call.sse([body]).end() })
    const app = await startApp(t, { target: provider.url })
    await (await fetch(app.url + path, { method: 'POST', body: JSON.stringify(request) })).text()
    assert.deepEqual([(await app.record()).error], ['The provider failed within its answer: no'])
  })

  for (const images of [[], [null], null]) {
    test(`but not without pictures: ${JSON.stringify(images)}`, async (t) => {
      const provider = await startProvider(t, { onCall: (call) => call.json(200, { images, error: 'blocked' }) })
      const app = await startApp(t, { target: provider.url })
      await (await fetch(`${app.url}/model/m/invoke`, { method: 'POST', body: '{}' })).text()
      assert.equal((await app.record()).outcome, 'upstream_error')
    })
  }
})
