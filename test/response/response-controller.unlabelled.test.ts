import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordOf } from '../../lib/exchange/record-of.js'
import { compileSecrets } from '../../lib/util/secrets.js'
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

describe('events under a label that does not say so', () => {
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
    test(`${what}: they go out as an event stream, whole, metered, without what was not asked for`, async (t) => {
      const { exchange, res, answer, run, ended } = asking(t)
      exchange.hidesUsage = true
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

  test('they get heartbeats, and an error event where the provider breaks off', async (t) => {
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

  test('maxOutputTokens holds for them', async (t) => {
    const { res, answer, ended } = asking(t, { limits: { maxOutputTokens: 20 } })
    await answer({}, text.repeat(80))
    assert.match(res.body, /output_tokens_exceeded/)
    res.finish()
    assert.equal(ended().code, 'output_tokens_exceeded')
  })

  for (const start of ['data\n\n', 'event\r\n', ' \n\n', '\t\r\nid\r']) {
    test(`they may begin with ${JSON.stringify(start)}, a byte at a time`, async (t) => {
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

  test('what ends before it can be told is passed on whole, also where its end may begin a secret', async (t) => {
    const { exchange, res, answer, run } = asking(t)
    exchange.secrets = compileSecrets(['t0ken-12345'])
    const response = await answer({}, 'dat')
    response.end()
    await run()
    assert.equal(res.body, 'dat')
  })

  for (const type of ['application/json', 'application/json, application/octet-stream', 'image/png, text/json']) {
    test(`what is read as JSON has no secret in it, as ${type}`, async (t) => {
      const { exchange, res, answer, run } = rig(t)
      exchange.secrets = compileSecrets(['t0ken-12345'])
      const response = await answer({ 'content-type': type }, '{"key":"t0ken-')
      response.end('12345"}')
      await run()
      assert.equal(res.body, '{"key":"***********"}')
    })
  }

  test('so does maxEventBytes', async (t) => {
    const { res, answer, ended } = asking(t, { limits: { maxEventBytes: 1000 } })
    await answer(PLAIN, `data: ${'x'.repeat(2000)}`)
    res.finish()
    assert.equal(ended().code, 'event_too_large')
  })

  test('they may come a byte at a time, behind a byte order mark and blank lines', async (t) => {
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

  test('who asked for no stream gets what comes, as it comes', async (t) => {
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

describe('a head without a body yet', () => {
  test('waits for the first bytes, which may come in time', async (t) => {
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

  test('then goes out, as an event stream where the path says that it must be one, with heartbeats', async (t) => {
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

  test('so does one of which blank lines have come, which are no body yet', async (t) => {
    const { res, answer, advance, run } = asking(t)
    const response = await answer(PLAIN, '\n\n')
    await advance(500)
    assert.equal(res.headersSent, true)
    response.write(text)
    await run()
    assert.equal(res.body, `\n\n${text}`)
  })

  test('another body is an event of such a stream then', async (t) => {
    const { res, answer, advance, run, ended } = asking(t)
    const response = await answer({})
    await advance(500)
    response.end('{"id":"c1",\n"choices":[]}')
    await run()
    assert.equal(res.body, 'data: {"id":"c1",\ndata: "choices":[]}\n\n')
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('on a path that no format claims it goes out as it was labelled, and events are still told', async (t) => {
    const { exchange, res, answer, advance, run, ended } = asking(t, {
      path: '/v1/generate',
      heartbeat: { everyMs: 1000 },
    })
    exchange.hidesUsage = true
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

  test('labelled as JSON it goes out as JSON', async (t) => {
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

  test('a body of no bytes is an answer of no bytes', async (t) => {
    const { res, answer, run, ended } = asking(t)
    const response = await answer({})
    response.end()
    await run()
    assert.equal(res.writableEnded, true)
    assert.equal(res.body, '')
    res.finish()
    assert.deepEqual(ended(), completed(0))
  })

  test('a provider that breaks off before the first bytes: an error with a status of its own', async (t) => {
    const { res, answer, run, ended } = asking(t)
    const response = await answer(PLAIN, 'da')
    response.destroy()
    await run()
    assert.equal(res.statusCode, 502)
    assert.match(String(res.getHeader('content-type')), /^application\/json/)
    res.finish()
    assert.equal(ended().code, 'upstream_reset')
  })

  test('a client that leaves meanwhile ends it', async (t) => {
    const { res, answer, advance, ended, timers } = asking(t)
    await answer(PLAIN)
    res.destroy()
    await advance(1000)
    assert.deepEqual([ended().outcome, ended().over, timers()], ['client_disconnect', 1, 0])
  })
})

describe('lines and answers under another label', () => {
  const line = '{"message":{"content":"word"},"done":false}\n'
  const lastLine = '{"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":2}\n'

  for (const headers of [{}, PLAIN, { 'content-type': 'application/json' }]) {
    test(`Ollama's lines, ${JSON.stringify(headers)}: a stream of lines, metered`, async (t) => {
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

  test("Ollama's lines wait for no label: the head goes out as it is", async (t) => {
    const { res, answer, advance, run } = asking(t, { path: '/api/chat' })
    const response = await answer(PLAIN)
    await advance(500)
    assert.equal(res.getHeader('content-type'), PLAIN['content-type'])
    response.write(line + line.slice(0, 9))
    await run()
    assert.deepEqual(res.writes, [line])
  })

  test("Gemini's array without a label is an array", async (t) => {
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
      test(`a JSON answer as ${type}, ${asksForStream ? 'in the place of' : 'where nobody asked for'} a stream: metered`, async (t) => {
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
