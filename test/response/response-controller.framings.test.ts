import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AiProxyError } from '../../lib/api/errors.js'
import { recordOf } from '../../lib/exchange/record-of.js'
import { awsEventStream } from '../../lib/framing/aws-event-stream.js'
import { completed, event, type Given, rig, SSE } from './controlling.js'

const GEMINI = '/v1beta/models/gemini-3:streamGenerateContent'
const NDJSON = { 'content-type': 'application/x-ndjson' }
const AWS = { 'content-type': 'application/vnd.amazon.eventstream' }
const ARRAY = { 'content-type': 'application/json; charset=UTF-8' }
const failure = () => new AiProxyError('idle_timeout', 'The provider fell silent')
const latin1 = (bytes: Buffer) => bytes.toString('latin1')

const text = awsEventStream.write({ event: 'contentBlockDelta', data: '{"delta":{"text":"word"}}' })
const metadata = awsEventStream.write({ event: 'metadata', data: '{"usage":{"inputTokens":9,"outputTokens":2}}' })
const line = '{"message":{"content":"word"},"done":false}\n'
const lastLine = '{"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":2}\n'
const element = '{"candidates":[{"content":{"parts":[{"text":"word"}]}}]}'

/** Streams in each framing: a whole frame, half a frame, and the frame that says the end. */
const streams: {
  name: string
  given: Given
  headers: Record<string, string>
  whole: string
  half: string
  last: string
}[] = [
  {
    name: 'NDJSON',
    given: { path: '/api/chat' },
    headers: NDJSON,
    whole: line,
    half: line.slice(0, 9),
    last: lastLine,
  },
  {
    name: 'AWS event stream',
    given: { path: '/model/claude/converse-stream' },
    headers: AWS,
    whole: latin1(text),
    half: latin1(text.subarray(0, 30)),
    last: latin1(metadata),
  },
]

describe('streams that are not event streams', () => {
  for (const { name, given, headers, whole, half, last } of streams) {
    test(`${name}: the head goes out at once, then whole frames only`, async (t) => {
      const { res, exchange, answer, run, ended } = rig(t, given)
      const response = await answer(headers, Buffer.from(whole + half, 'latin1'))
      assert.equal(res.headersSent, true)
      assert.equal(res.getHeader('content-type'), headers['content-type'])
      assert.equal(res.getHeader('x-accel-buffering'), 'no')
      assert.deepEqual(res.writes, [whole])
      response.end(Buffer.from(whole.slice(half.length) + last, 'latin1'))
      await run()
      assert.equal(res.body, whole + whole + last)
      res.finish()
      assert.deepEqual(ended(), completed(3))
      assert.deepEqual(recordOf(exchange).usage, { inputTokens: 9, outputTokens: 2, estimated: false })
    })

    test(`${name}: no heartbeats are sent, because the framing has none`, async (t) => {
      const { res, answer, advance } = rig(t, { ...given, heartbeat: { everyMs: 10 } })
      await answer(headers, Buffer.from(whole, 'latin1'))
      await advance(1000)
      assert.equal(res.body, whole)
      res.destroy()
    })

    test(`${name}: ends after its last frame and the grace`, async (t) => {
      const { res, answer, advance, ended } = rig(t, { ...given, limits: { terminatorGraceMs: 50 } })
      await answer(headers, Buffer.from(whole + last, 'latin1'))
      await advance(49)
      assert.equal(res.writableEnded, false)
      await advance(1)
      assert.equal(res.writableEnded, true)
      res.finish()
      assert.deepEqual(ended(), completed(2))
    })
  }

  test('NDJSON: a failure is a line that ends the stream', async (t) => {
    const { res, delivery, answer } = rig(t, { path: '/api/chat' })
    await answer(NDJSON, line + line.slice(0, 9))
    delivery.fail(failure())
    assert.equal(res.body, `${line}{"error":"The provider fell silent","code":"idle_timeout"}\n`)
    assert.equal(res.writableEnded, true)
    res.finish()
  })

  test('AWS event stream: a failure is an exception that ends the stream', async (t) => {
    const { res, delivery, answer } = rig(t, { path: '/model/claude/converse-stream' })
    await answer(AWS, Buffer.concat([text, text.subarray(0, 30)]))
    delivery.fail(failure())
    assert.equal(res.writes[0], latin1(text))
    assert.deepEqual(awsEventStream.read(Buffer.from(res.writes[1]!, 'latin1')), {
      event: 'internalServerException',
      data: '{"message":"The provider fell silent","code":"idle_timeout"}',
      isError: true,
    })
    assert.equal(res.writableEnded, true)
    res.finish()
  })

  test('AWS event stream: a damaged message does not go out, and is recorded as upstream_error', async (t) => {
    const { res, exchange, answer, ended, log } = rig(t, { path: '/model/claude/converse-stream' })
    const damaged = Buffer.from(text)
    damaged[damaged.length - 10]! ^= 1
    await answer(AWS, Buffer.concat([text, damaged, text]))
    const [first, second] = res.writes.map((write) => awsEventStream.read(Buffer.from(write, 'latin1')))
    assert.equal(res.writes.length, 2)
    assert.equal(first?.event, 'contentBlockDelta')
    assert.deepEqual([second?.isError, JSON.parse(second!.data).code], [true, 'upstream_reset'])
    assert.ok(log.includes('upstream ended'))
    res.finish()
    assert.deepEqual([ended().outcome, ended().code, ended().events], ['upstream_error', 'upstream_reset', 1])
    assert.match(recordOf(exchange).error!, /damaged/)
  })

  test('AWS event stream: a provider’s exception passes and is recorded', async (t) => {
    const { res, exchange, answer, run, ended } = rig(t, { path: '/model/claude/converse-stream' })
    const exception = awsEventStream.write({
      event: 'throttlingException',
      data: '{"message":"Slow down"}',
      isError: true,
    })
    const response = await answer(AWS, text)
    response.end(exception)
    await run()
    assert.equal(res.body, latin1(Buffer.concat([text, exception])))
    res.finish()
    assert.deepEqual([ended().outcome, ended().code, ended().status], ['upstream_error', 'upstream_error', 200])
    assert.match(recordOf(exchange).error!, /Slow down/)
  })
})

describe('an array that arrives element by element', () => {
  const begun = async (t: Parameters<typeof rig>[0], body: string) => {
    const given = rig(t, { path: GEMINI })
    given.exchange.describe(undefined, true)
    return { ...given, response: await given.answer(ARRAY, body) }
  }

  test('passes in whole elements, and ends normally', async (t) => {
    const last = '{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}'
    const { res, response, run, ended } = await begun(t, `[${element},\n${last.slice(0, 20)}`)
    assert.deepEqual(res.writes, [`[${element}`])
    response.end(`${last.slice(20)}]`)
    await run()
    assert.equal(res.body, `[${element},\n${last}]`)
    res.finish()
    assert.deepEqual(ended(), completed(2))
  })

  test('cannot represent a failure: its connection is destroyed', async (t) => {
    const { res, delivery, ended } = await begun(t, `[${element},\n`)
    delivery.fail(failure())
    assert.equal(res.body, `[${element}`)
    assert.deepEqual([res.destroyed, res.writableEnded], [true, false])
    assert.deepEqual([ended().code, ended().over], ['idle_timeout', 1])
  })

  test('is truncated if it is never closed, whatever its last element says', async (t) => {
    const given = rig(t, { path: GEMINI })
    given.exchange.describe(undefined, true)
    const last = '{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}'
    const response = await given.answer({ ...ARRAY, 'transfer-encoding': 'chunked' }, `[${last}`)
    response.end()
    await given.run()
    assert.deepEqual([given.ended().outcome, given.ended().code], ['upstream_error', 'upstream_truncated'])
  })

  test('destroys the connection if it ends before it is closed', async (t) => {
    const { res, response, run, ended } = await begun(t, `[${element}`)
    response.end()
    await run()
    assert.deepEqual([res.body, res.destroyed, res.writableEnded], [`[${element}`, true, false])
    assert.deepEqual([ended().outcome, ended().code], ['upstream_error', 'upstream_reset'])
  })
})

describe('terminatorGraceMs', () => {
  const DONE = event('[DONE]')

  test('starts at the end of the stream, and later frames do not restart it', async (t) => {
    const { res, answer, advance, run } = rig(t, { limits: { terminatorGraceMs: 100 } })
    const response = await answer(SSE, event('1') + DONE)
    await advance(99)
    response.write(DONE)
    await run()
    assert.equal(res.body, event('1') + DONE + DONE)
    await advance(1)
    assert.equal(res.writableEnded, true)
    res.finish()
  })

  test('does not apply if the provider ends its answer', async (t) => {
    const { res, answer, run, ended } = rig(t, { limits: { terminatorGraceMs: false } })
    const response = await answer(SSE, DONE)
    response.end()
    await run()
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('`false` leaves the stream to the other limits, which end it well', async (t) => {
    const limits = { terminatorGraceMs: false, idleTimeoutMs: 5000 } as const
    const { res, answer, advance, ended } = rig(t, { limits })
    await answer(SSE, DONE)
    await advance(4999)
    assert.equal(res.writableEnded, false)
    await advance(1)
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.deepEqual(ended(), completed(1))
  })

  test('does not end a stream whose client still has to read', async (t) => {
    const { res, answer, advance, run, ended } = rig(t, { limits: { terminatorGraceMs: 100 } })
    res.keepsUp = false
    const response = await answer(SSE, event('1') + DONE)
    response.write(event('2'))
    await run()
    for (const ms of [100, 100, 5000]) {
      await advance(ms)
      assert.deepEqual([res.body, res.writableEnded], [event('1') + DONE, false])
    }
    res.drain()
    await run()
    assert.deepEqual([res.body, res.writableEnded], [event('1') + DONE + event('2'), false])
    await advance(100)
    assert.equal(res.writableEnded, true)
    res.finish()
    assert.deepEqual(ended(), completed(3))
  })

  test("is not started by the terminator's text within an answer", async (t) => {
    const { res, answer, advance } = rig(t, { limits: { terminatorGraceMs: 100 } })
    await answer(SSE, event('{"choices":[{"delta":{"content":"[DONE]"}}]}'))
    await advance(1000)
    assert.equal(res.writableEnded, false)
    res.destroy()
  })
})

describe('a response opened early', () => {
  for (const [path, isEvents] of [
    [`${GEMINI}?alt=sse`, true],
    [`${GEMINI}?key=k&alt=sse`, true],
    [GEMINI, false],
    [`${GEMINI}?alt=json`, false],
    [`${GEMINI}?no-alt=sse`, false],
    ['/v1/messages', true],
    ['/v2/chat', true],
    ['/api/generate', false],
    ['/model/claude/invoke-with-response-stream', false],
  ] as const) {
    test(`is an event stream if the client reads those: ${isEvents} for ${path}`, (t) => {
      const { res, delivery } = rig(t, { path, heartbeat: { everyMs: 10 } })
      delivery.sendEarlyHeaders()
      assert.deepEqual([res.headersSent, res.body], isEvents ? [true, ': heartbeat\n\n'] : [false, ''])
      res.destroy()
    })
  }

  test('has usage even if the answer is not a stream', async (t) => {
    const { res, exchange, delivery, answer, run, ended } = rig(t)
    delivery.sendEarlyHeaders()
    const response = await answer({ 'content-type': 'application/json' })
    response.end('{\n"model":"m","usage":{"prompt_tokens":9,"completion_tokens":2}}')
    await run()
    assert.match(res.body, /\n\ndata: \{\ndata: "model":"m"/)
    res.finish()
    assert.deepEqual(ended(), completed(1))
    assert.deepEqual(recordOf(exchange).usage, { inputTokens: 9, outputTokens: 2, estimated: false })
  })

  for (const { name, given, headers, whole, last } of streams) {
    test(`is not opened early for a client of ${name}, which does not read event streams`, async (t) => {
      const { res, delivery, answer, run } = rig(t, { ...given, heartbeat: { beforeFirstByte: true } })
      delivery.sendEarlyHeaders()
      const response = await answer(headers, Buffer.from(whole, 'latin1'))
      assert.equal(res.getHeader('content-type'), headers['content-type'])
      response.end(Buffer.from(last, 'latin1'))
      await run()
      assert.equal(res.body, whole + last)
      res.finish()
    })
  }
})
