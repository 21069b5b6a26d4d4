import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordOf } from '../../lib/exchange/record-of.js'
import { compileSecrets } from '../../lib/util/secrets.js'
import { sendRequest } from '../support/sent-request.js'
import { completed, event, type Given, rig } from './controlling.js'

const PLAIN = { 'content-type': 'text/plain; charset=utf-8' }
const EVENT_STREAM = /^text\/event-stream/
const text = event('{"id":"c1","choices":[{"index":0,"delta":{"content":"word"}}]}')
const usage = event('{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}')
const finished = event('{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
const done = event('[DONE]')
const HEARTBEAT = ': heartbeat\n\n'

/** A request for a stream. */
function asking(t: Parameters<typeof rig>[0], given: Given = {}) {
  const all = rig(t, given)
  all.exchange.describe(undefined, true)
  return all
}

describe('events with a content type other than text/event-stream', () => {
  const labels: Record<string, Record<string, string>> = {
    'no type': {},
    'text/plain': PLAIN,
    'application/json': { 'content-type': 'application/json' },
    'application/octet-stream': { 'content-type': 'application/octet-stream' },
    'application/x-ndjson': { 'content-type': 'application/x-ndjson' },
    'text/html': { 'content-type': 'text/html' },
    'two types': { 'content-type': 'application/json, text/event-stream' },
    identity: { 'content-type': 'text/event-stream', 'content-encoding': 'identity' },
    none: { 'content-type': 'text/event-stream', 'content-encoding': 'none' },
    'utf-8': { ...PLAIN, 'content-encoding': 'utf-8' },
  }
  for (const [what, headers] of Object.entries(labels)) {
    test(`${what}: go out as an event stream, whole, metered, without the usage event that was not requested`, async (t) => {
      const { exchange, res, answer, run, ended } = asking(t)
      sendRequest(exchange, { hidesUsage: true })
      const response = await answer(headers, text + text.slice(0, 9))
      assert.match(String(res.getHeader('content-type')), EVENT_STREAM)
      assert.equal(res.getHeader('x-accel-buffering'), 'no')
      assert.match(String(res.getHeader('cache-control')), /no-transform/)
      assert.equal(res.hasHeader('content-encoding'), false)
      assert.equal(res.hasHeader('content-security-policy'), false)
      assert.deepEqual(res.writes, [text])
      response.end(text.slice(9) + finished + usage + done)
      await run()
      assert.equal(res.body, text + text + finished + done)
      res.finish()
      assert.deepEqual(ended(), completed(5))
      assert.deepEqual(
        [exchange.answer.finishReason, recordOf(exchange).usage],
        ['stop', { inputTokens: 9, outputTokens: 2, totalTokens: 11, estimated: false }],
      )
    })
  }

  test('get heartbeats, and an error event if the provider breaks off', async (t) => {
    const { res, answer, advance, run, ended } = asking(t, { heartbeat: { everyMs: 1000 } })
    const response = await answer(PLAIN, text)
    await advance(1000)
    assert.equal(res.body, text + HEARTBEAT)
    response.destroy(new Error('reset'))
    await run()
    assert.match(res.body, /data: \{"error":\{.*"code":"upstream_reset".*\}\}\n\n$/)
    res.finish()
    assert.equal(ended().code, 'upstream_reset')
  })

  test('are subject to maxOutputTokens', async (t) => {
    const { res, answer, ended } = asking(t, { limits: { maxOutputTokens: 20 } })
    await answer({}, text.repeat(80))
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
    assert.equal(ended().code, 'output_tokens_exceeded')
  })

  for (const start of ['data\n\n', 'event\r\n', ' \n\n', '\t\r\nid\r']) {
    test(`may begin with ${JSON.stringify(start)}, one byte at a time`, async (t) => {
      const { res, answer, run, ended } = asking(t)
      const response = await answer({})
      for (const byte of Buffer.from(start + text + finished + done)) {
        response.write(Buffer.of(byte))
        await run()
      }
      assert.match(String(res.getHeader('content-type')), EVENT_STREAM)
      response.end()
      await run()
      assert.equal(res.body, start + text + finished + done)
      res.finish()
      assert.equal(ended().over, 1)
    })
  }

  test('may not be recognisable before the body ends, which then passes whole, even if its end may begin a secret', async (t) => {
    const { exchange, res, answer, run } = asking(t)
    sendRequest(exchange, { secrets: compileSecrets(['t0ken-12345']) })
    const response = await answer({}, 'dat')
    response.end()
    await run()
    assert.equal(res.body, 'dat')
  })

  for (const type of ['application/json', 'application/json, application/octet-stream', 'image/png, text/json']) {
    test(`a secret in JSON is masked, as ${type}`, async (t) => {
      const { exchange, res, answer, run } = rig(t)
      sendRequest(exchange, { secrets: compileSecrets(['t0ken-12345']) })
      const response = await answer({ 'content-type': type }, '{"key":"t0ken-')
      response.end('12345"}')
      await run()
      assert.equal(res.body, '{"key":"***********"}')
    })
  }

  test('are subject to maxEventBytes', async (t) => {
    const { res, answer, ended } = asking(t, { limits: { maxEventBytes: 1000 } })
    await answer(PLAIN, `data: ${'x'.repeat(2000)}`)
    res.finish()
    assert.equal(ended().code, 'event_too_large')
  })

  test('may arrive one byte at a time, after a byte order mark and blank lines', async (t) => {
    const { res, answer, run, ended } = asking(t)
    const start = Buffer.from(`\uFEFF\r\n\n${text}`)
    const response = await answer(PLAIN)
    for (const byte of start) {
      response.write(Buffer.of(byte))
      await run()
    }
    assert.match(String(res.getHeader('content-type')), EVENT_STREAM)
    assert.equal(res.body, start.toString('latin1'))
    response.end()
    await run()
    res.finish()
    assert.equal(ended().over, 1)
  })

  test('pass unchanged if no stream was requested', async (t) => {
    const { res, answer, run, ended } = rig(t)
    const response = await answer(PLAIN, text + text.slice(0, 9))
    assert.deepEqual(res.writes, [text + text.slice(0, 9)])
    assert.equal(res.getHeader('content-type'), PLAIN['content-type'])
    response.end()
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })
})

describe('a head whose body has not begun', () => {
  test('waits for the first bytes, which may arrive in time', async (t) => {
    const { res, answer, advance, run } = asking(t)
    const response = await answer(PLAIN)
    await advance(499)
    assert.equal(res.headersSent, false)
    response.write('{"error":{"message":"no"}}')
    await run()
    assert.equal(res.getHeader('content-type'), PLAIN['content-type'])
    await advance(500)
    assert.equal(res.body, '{"error":{"message":"no"}}')
  })

  test('is sent after a while, as an event stream with heartbeats if the path requires one', async (t) => {
    const { exchange, res, answer, advance, run, ended } = asking(t, { heartbeat: { everyMs: 1000 } })
    const response = await answer(PLAIN)
    await advance(500)
    assert.equal(res.headersSent, true)
    assert.match(String(res.getHeader('content-type')), EVENT_STREAM)
    await advance(1000)
    assert.equal(res.body, HEARTBEAT)
    response.end(text + finished + done)
    await run()
    assert.equal(res.body, HEARTBEAT + text + finished + done)
    res.finish()
    assert.deepEqual(ended(), completed(3))
    assert.equal(exchange.answer.finishReason, 'stop')
  })

  test('is sent after a while even if blank lines have arrived', async (t) => {
    const { res, answer, advance, run } = asking(t)
    const response = await answer(PLAIN, '\n\n')
    await advance(500)
    assert.equal(res.headersSent, true)
    response.write(text)
    await run()
    assert.equal(res.body, `\n\n${text}`)
  })

  test('is followed by any other body as an event', async (t) => {
    const { res, answer, advance, run, ended } = asking(t)
    const response = await answer({})
    await advance(500)
    response.end('{"id":"c1",\n"choices":[]}')
    await run()
    assert.equal(res.body, 'data: {"id":"c1",\ndata: "choices":[]}\n\n')
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('is sent with its own type on a path that no format claims, and events are still recognised', async (t) => {
    const { exchange, res, answer, advance, run, ended } = asking(t, {
      path: '/v1/generate',
      heartbeat: { everyMs: 1000 },
    })
    sendRequest(exchange, { hidesUsage: true })
    const response = await answer(PLAIN)
    await advance(500)
    assert.equal(res.headersSent, true)
    assert.equal(res.getHeader('content-type'), PLAIN['content-type'])
    await advance(1000)
    assert.equal(res.body, '')
    response.write(text + usage)
    await run()
    await advance(1000)
    assert.equal(res.body, text + HEARTBEAT)
    response.end(finished + done)
    await run()
    res.finish()
    assert.deepEqual(ended(), completed(4))
  })

  test('is sent as JSON if it is labelled as JSON', async (t) => {
    const { res, answer, advance, run, ended } = asking(t)
    const response = await answer({ 'content-type': 'application/json' })
    await advance(500)
    assert.equal(res.headersSent, true)
    response.end('{"id":"c1"}')
    await run()
    assert.deepEqual([res.getHeader('content-type'), res.body], ['application/json', '{"id":"c1"}'])
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })

  test('is sent with an empty body if the path says nothing of what must come', async (t) => {
    const { res, answer, run, ended } = asking(t, { path: '/v1/other' })
    const response = await answer({})
    response.end()
    await run()
    assert.equal(res.writableEnded, true)
    assert.equal(res.body, '')
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })

  test('is replaced by an error with its own status if the provider breaks off before the first bytes', async (t) => {
    const { res, answer, run, ended } = asking(t)
    const response = await answer(PLAIN, 'da')
    response.destroy()
    await run()
    assert.equal(res.statusCode, 502)
    assert.match(String(res.getHeader('content-type')), /^application\/json/)
    res.finish()
    assert.equal(ended().code, 'upstream_reset')
  })

  test('is dropped if the client disconnects meanwhile', async (t) => {
    const { res, answer, advance, ended, timers } = asking(t)
    await answer(PLAIN)
    res.destroy()
    await advance(1000)
    assert.deepEqual([ended().outcome, ended().over, timers()], ['client_disconnect', 1, 0])
  })
})

describe('NDJSON and JSON with another content type', () => {
  const line = '{"message":{"content":"word"},"done":false}\n'
  const lastLine = '{"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":2}\n'

  for (const headers of [{}, PLAIN, { 'content-type': 'application/json' }]) {
    test(`Ollama's lines, ${JSON.stringify(headers)}: are a stream of lines, and metered`, async (t) => {
      const { exchange, res, answer, run, ended } = asking(t, { path: '/api/chat' })
      const response = await answer(headers, line + line.slice(0, 9))
      assert.equal(res.getHeader('content-type'), 'application/x-ndjson')
      assert.deepEqual(res.writes, [line])
      response.end(line.slice(9) + lastLine)
      await run()
      res.finish()
      assert.deepEqual(ended(), completed(3))
      assert.equal(recordOf(exchange).usage?.outputTokens, 2)
    })
  }

  test("Ollama's head is sent after a while with its own type", async (t) => {
    const { res, answer, advance, run } = asking(t, { path: '/api/chat' })
    const response = await answer(PLAIN)
    await advance(500)
    assert.equal(res.getHeader('content-type'), PLAIN['content-type'])
    response.write(line + line.slice(0, 9))
    await run()
    assert.deepEqual(res.writes, [line])
  })

  test("Gemini's array without a type is an array", async (t) => {
    const { exchange, res, answer, run } = asking(t, { path: '/v1beta/models/gemini-3:streamGenerateContent' })
    const element = '{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9}}'
    const response = await answer({}, `[${element}`)
    assert.match(String(res.getHeader('content-type')), /^application\/json/)
    response.end(']')
    await run()
    assert.equal(res.body, `[${element}]`)
    assert.equal(recordOf(exchange).usage?.inputTokens, 9)
  })

  const body = '{"model":"m","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}'
  for (const type of ['text/plain', 'text/json', 'application/problem+json', 'application/vnd.p.v1+json', undefined]) {
    for (const asksForStream of [true, false]) {
      test(`a JSON answer as ${type}, ${asksForStream ? 'in place of' : 'not requested as'} a stream: is metered`, async (t) => {
        const { exchange, res, answer, run, ended } = rig(t)
        exchange.describe(undefined, asksForStream)
        const response = await answer(type ? { 'content-type': type } : {}, body.slice(0, 5))
        response.end(body.slice(5))
        await run()
        assert.equal(res.body, body)
        assert.equal(res.getHeader('x-accel-buffering'), undefined)
        assert.equal(res.getHeader('content-type'), type ?? 'application/json; charset=utf-8')
        res.finish()
        assert.deepEqual(ended(), completed(0))
        assert.equal(recordOf(exchange).usage?.outputTokens, 2)
      })
    }
  }
})
